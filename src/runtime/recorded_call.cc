#include "runtime/recorded_call.h"

#include <filesystem>

#include "base/text.h"
#include "runtime/used_grants.h"

namespace cordon::runtime {
namespace {

Status CheckRepeatable(const Status& done) {
  if (done) return {};
  const Code code = done.error().code;
  if (code != Code::kTimeout && code != Code::kCpu && code != Code::kInterrupted && code != Code::kUnavailable &&
      code != Code::kAuditUnavailable && code != Code::kBusy) {
    return {};
  }
  Error error = done.error();
  error.message += "; nothing was recorded, since it would not end there again";
  return Fail(std::move(error));
}

// What differs at the end of a call that asked for all that was recorded.
std::optional<std::string> EndDiffers(const Fixture& fixture, const Status& done, std::string_view output) {
  const std::string now = done ? "answers" : "fails with " + std::string(CodeName(done.error().code));
  const std::string then = fixture.code ? "failed with " + std::string(CodeName(*fixture.code)) : "answered";
  if (done.has_value() == fixture.code.has_value() || (!done && done.error().code != *fixture.code)) {
    return "the call " + now + ", and " + then;
  }
  if (!done || output == fixture.output) return std::nullopt;
  return "the call answers " + EscapeShort(output, 200) + ", and answered " + EscapeShort(fixture.output, 200);
}

}  // namespace

void BeginRecording(LoadRequest& request) {
  request.recorder = std::make_shared<Recorder>();
  request.witness = std::make_shared<audit::MemoryObserver>();
}

Result<RecordedCall> EndRecording(const LoadRequest& request, const Plugin& plugin, std::string_view action,
                                  std::string_view input, const Status& done, std::string_view output) {
  CORDON_TRY(CheckRepeatable(done));
  RecordedCall recorded;
  Fixture& fixture = recorded.fixture;
  fixture.plugin = plugin.name();
  fixture.digest = plugin.digest();
  fixture.source = std::filesystem::absolute(request.source).string();
  fixture.action = action;
  fixture.input = input;
  fixture.output = output;
  if (!done) fixture.code = done.error().code;
  CORDON_ASSIGN(fixture.exchanges, request.recorder->Take());
  recorded.used = UsedGrants(plugin, request.witness->records(), fixture.exchanges);
  return recorded;
}

void BeginReplay(LoadRequest& request, Fixture& fixture) {
  if (request.source.empty()) request.source = fixture.source;
  request.replayer = std::make_shared<Replayer>(std::move(fixture.exchanges));
  request.replayed_digest = fixture.digest;
}

Status CheckReplay(const LoadRequest& request, const Fixture& fixture, const Status& done, std::string_view output) {
  std::optional<std::string> difference = request.replayer->Divergence();
  if (!difference) difference = EndDiffers(fixture, done, output);
  if (!difference) return {};
  return Fail(Code::kDigest, "the replay diverged: " + *difference,
              "the plugin depends on something that is not in the fixture; or record it again");
}

}  // namespace cordon::runtime
