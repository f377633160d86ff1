// What rounds amount to: medians, tails, and how far the figure that is judged may really be. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cordon::bench {

// One figure for each round, the two sides of a round beside each other in time.
struct Rounds {
  std::vector<double> cordon, against;
};

double Median(std::vector<double> values);
// The value that `share` (0 to 1) of all are at or below.
double Quantile(std::vector<double> values, double share);

// A row of performance.md.
struct Row {
  std::string name;
  std::string peer;
  std::string unit;
  double cordon = 0, against = 0;  // medians over rounds
  double p99_cordon = 0, p99_against = 0;
  double min_cordon = 0;
  double ratio = 0;    // cordon / against
  double upper95 = 0;  // of the ratio: 95 % of bootstrap samples of the rounds are at or below it
  std::size_t rounds = 0;

  // What is held against the bar: upper95; the upper 95 % bound of cordon - against; or the 99th percentile of single
  // calls, which besides may never be negative (a call that was stopped early); or nothing: the figure is stated.
  enum class Judged : std::uint8_t { kRatio, kDifference, kTail, kStated } judged = Judged::kRatio;
  double bar = 0;
  double held = 0;  // the judged figure
  std::string bar_unit;
  std::string skipped;  // why it was not measured, else empty

  bool Passes() const;
};

// What a row is, before it is measured.
struct RowSpec {
  std::string name;
  std::string peer;
  std::string unit;
  Row::Judged judged = Row::Judged::kRatio;
  double bar = 0;
};

// `singles`: the figures of single calls, where tails are of these and not of rounds; else empty.
Row Summarise(const RowSpec& spec, const Rounds& rounds, const Rounds& singles = {});

// One line for people, and the table's head.
std::string TableHead();
std::string TableLine(const Row& row);

// The array that build/bench.json holds.
std::string ToJson(const std::vector<Row>& rows);

}  // namespace cordon::bench
