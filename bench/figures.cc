#include "figures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <random>

#include "formats/json.h"

namespace cordon::bench {
namespace {

constexpr int kBootstrapSamples = 4000;
constexpr std::uint64_t kBootstrapSeed = 20260101;  // fixed: the same rounds give the same bound

// The upper 95 % bound of `figure` of the medians, by drawing rounds with replacement, both sides of a round together.
template <typename Figure>
double Upper95(const Rounds& rounds, Figure figure) {
  std::mt19937_64 random(kBootstrapSeed);
  const std::size_t n = rounds.cordon.size();
  std::uniform_int_distribution<std::size_t> pick(0, n - 1);
  std::vector<double> figures;
  Rounds drawn{std::vector<double>(n), std::vector<double>(n)};
  for (int sample = 0; sample < kBootstrapSamples; ++sample) {
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t at = pick(random);
      drawn.cordon[i] = rounds.cordon[at];
      drawn.against[i] = rounds.against[at];
    }
    figures.push_back(figure(Median(drawn.cordon), Median(drawn.against)));
  }
  return Quantile(std::move(figures), 0.95);
}

double RatioOf(double cordon, double against) { return against > 0 ? cordon / against : 0; }
double DifferenceOf(double cordon, double against) { return cordon - against; }

double Round(double value) { return std::round(value * 1000) / 1000; }

std::string_view JudgedName(Row::Judged judged) {
  constexpr std::array<std::string_view, 4> kNames = {"upper95", "upper95 of cordon - against", "p99_cordon", "stated"};
  return kNames[static_cast<std::size_t>(judged)];
}

}  // namespace

double Quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  const std::size_t at = std::min(values.size() - 1, rank == 0 ? 0 : rank - 1);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  const std::size_t middle = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle), values.end());
  const double upper = values[middle];
  if (values.size() % 2 == 1) return upper;
  return (upper + *std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle))) / 2;
}

bool Row::Passes() const {
  if (judged == Judged::kStated) return true;
  return held <= bar && (judged != Judged::kTail || min_cordon >= 0);
}

Row Summarise(const RowSpec& spec, const Rounds& rounds, const Rounds& singles) {
  const Rounds& tails = singles.cordon.empty() ? rounds : singles;
  Row row;
  row.name = spec.name;
  row.peer = spec.peer;
  row.unit = spec.unit;
  row.cordon = Median(rounds.cordon);
  row.against = Median(rounds.against);
  row.p99_cordon = Quantile(tails.cordon, 0.99);
  row.p99_against = Quantile(tails.against, 0.99);
  row.min_cordon = *std::min_element(tails.cordon.begin(), tails.cordon.end());
  row.ratio = RatioOf(row.cordon, row.against);
  row.upper95 = Upper95(rounds, RatioOf);
  row.rounds = rounds.cordon.size();
  row.judged = spec.judged;
  row.bar = spec.bar;
  switch (spec.judged) {
    case Row::Judged::kRatio: row.held = row.upper95; break;
    case Row::Judged::kDifference: row.held = Upper95(rounds, DifferenceOf); break;
    case Row::Judged::kTail: row.held = row.p99_cordon; break;
    case Row::Judged::kStated: row.held = row.upper95; break;
  }
  row.bar_unit = spec.judged == Row::Judged::kRatio ? "x" : spec.unit;
  return row;
}

std::string TableHead() {
  std::array<char, 160> line{};
  std::snprintf(line.data(), line.size(), "%-16s %10s %10s %10s %10s %4s %7s %8s  %-22s %s", "row", "cordon", "p99",
                "against", "p99", "unit", "ratio", "upper95", "held against bar", "");
  return line.data();
}

std::string TableLine(const Row& row) {
  std::array<char, 64> held{};
  if (!row.skipped.empty())
    return row.name + std::string(17 - std::min<std::size_t>(16, row.name.size()), ' ') + "skipped: " + row.skipped;
  std::snprintf(held.data(), held.size(), "%.2f <= %.2f %s", row.held, row.bar, row.bar_unit.c_str());
  const bool stated = row.judged == Row::Judged::kStated;
  if (stated) std::snprintf(held.data(), held.size(), "stated");
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(), "%-16s %10.1f %10.1f %10.1f %10.1f %4s %7.2f %8.3f  %-22s %s",
                row.name.c_str(), row.cordon, row.p99_cordon, row.against, row.p99_against, row.unit.c_str(), row.ratio,
                row.upper95, held.data(),
                stated         ? ""
                : row.Passes() ? "pass"
                               : "MISS");
  return line.data();
}

std::string ToJson(const std::vector<Row>& rows) {
  Json list = Json::array();
  for (const Row& row : rows) {
    if (!row.skipped.empty()) {
      list.push_back({{"row", row.name}, {"skipped", row.skipped}});
      continue;
    }
    const bool stated = row.judged == Row::Judged::kStated;
    list.push_back({
        {"row", row.name},
        {"cordon", Round(row.cordon)},
        {"peer", row.peer},
        {"against", Round(row.against)},
        {"unit", row.unit},
        {"ratio", Round(row.ratio)},
        {"upper95", Round(row.upper95)},
        {"p99_cordon", Round(row.p99_cordon)},
        {"p99_against", Round(row.p99_against)},
        {"min_cordon", Round(row.min_cordon)},
        {"rounds", row.rounds},
        {"bar", stated ? Json() : Json(row.bar)},
        {"judged", JudgedName(row.judged)},
        {"held", Round(row.held)},
        {"pass", stated ? Json() : Json(row.Passes())},
    });
  }
  return list.dump(1) + "\n";
}

}  // namespace cordon::bench
