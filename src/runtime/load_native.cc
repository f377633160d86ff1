// What is particular to native plugins when one is loaded: whether one may run at all, and behind what.
#include <algorithm>
#include <array>

#include "runtime/load.h"
#include "runtime/native.h"

namespace cordon::runtime {
namespace {

using policy::Kind;

// What the confinement of a process has no way to: there is no network inside.
constexpr std::array kNotInside = {Kind::kHttp, Kind::kSockets};
// What a process has whether it was granted or not.
constexpr std::array kAlwaysInside = {Kind::kClock, Kind::kRandom, Kind::kStdio};
// What its messages, its variables and its folders are for.
constexpr std::array kUsable = {Kind::kFiles,     Kind::kEnvironment, Kind::kExec,   Kind::kStorage, Kind::kContext,
                                Kind::kArguments, Kind::kClock,       Kind::kRandom, Kind::kStdio,   Kind::kLog};

bool Has(std::span<const Kind> kinds, Kind kind) { return std::ranges::find(kinds, kind) != kinds.end(); }

Error CannotHold(const std::string& what, std::string remedy) {
  return Error(Code::kUnenforceable, what, std::move(remedy));
}

}  // namespace

// A binary says nothing of what it wants, so there is nothing to describe.
Status Loader::DescribeNative() {
  plugin_->abi_kind = manifest::Abi::kNative;
  wit::Contract contract;
  contract.kind = wit::Contract::Kind::kModule;
  plugin_->contract = std::make_shared<const wit::Contract>(std::move(contract));
  if (plugin_->source.bytes.starts_with("\x7f"
                                        "ELF") ||
      plugin_->source.bytes.starts_with("#!"))
    return {};
  return Fail(Error(Code::kInvalid, "the artifact is no program of this machine",
                    "name an ELF binary, or a script that begins with #!")
                  .With("file", plugin_->source.artifact.string()));
}

// Why it may not run whatever is granted; nothing when it may.
std::optional<Error> Loader::WhyNotNative() const {
  using Native = manifest::Config::Native;
  const std::string& name = plugin_->source.name;
  const manifest::Config& config = rules_->config;
  const bool is_confirmed = request_.native == LoadRequest::Native::kConfirmed;
  if (config.native == Native::kRefuse) {
    return Error(Code::kDenied, name + " is a native plugin, and those are refused",
                 "set plugins.native to confirm, warn or allow in config.yaml");
  }
  if (config.native == Native::kConfirm && !is_confirmed) {
    return Error(Code::kDenied, name + " is a native plugin, which runs only when you say so",
                 "add --allow-native, or set plugins.native to warn or allow in config.yaml");
  }
  if (plugin_->ceiling.level() == policy::Level::kParanoid) {
    return CannotHold("level paranoid steps clocks, and no native program can be held to that", "use level strict");
  }
  if (plugin_->limits.fuel) return CannotHold("a native program has no instructions to count", "leave limits.fuel out");
  const policy::Authority& authority = plugin_->authority;
  for (const Kind kind : kAlwaysInside) {
    if (authority.Allows(kind)) continue;
    return CannotHold(std::string(policy::KindName(kind)) + " cannot be withheld from a native program",
                      "do not deny it, or build the plugin for WebAssembly");
  }
  for (const policy::Ruling& ruling : authority.rulings()) {
    const Kind kind = ruling.request.capability.kind();
    const bool is_wanted = ruling.effective || ruling.request.need == policy::Need::kRequired;
    if (!Has(kNotInside, kind) || !is_wanted) continue;
    return CannotHold(ruling.request.capability.ToString() + ": there is no network inside of a confined process",
                      "make it optional and do not grant it, or build the plugin for WebAssembly");
  }
  return std::nullopt;
}

void Loader::ListUnusableNative() {
  for (const policy::Ruling& ruling : plugin_->authority.rulings()) {
    if (!ruling.effective || ruling.source == policy::Ruling::Source::kDefault) continue;
    if (!Has(kUsable, ruling.effective->kind())) plugin_->plan.unusable.push_back(ruling.effective->ToString());
  }
}

Status Loader::ConfineNative() {
  if (request_.recorder != nullptr || request_.replayer != nullptr) {
    return Fail(CannotHold(plugin_->source.name + " is a native plugin, of which no record would be whole",
                           "run it without a record"));
  }
  Stage("linking");
  CORDON_ASSIGN(isolation::Bubblewrap backend, isolation::Bubblewrap::Find(host_.options.bubblewrap));
  plugin_->native = std::make_unique<NativeProgram>(std::move(backend), plugin_->source.wasm());
  if (rules_->config.native != manifest::Config::Native::kWarn) return {};
  audit::Record record = plugin_->NewRecord(audit::Event::kNote);
  record.rule = "native:warn";
  record.note = "a native plugin, confined by bubblewrap";
  return host_.options.observer->On(record);
}

}  // namespace cordon::runtime
