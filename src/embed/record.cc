// Calls that are recorded, and run again without the world.
#include "embed/state.h"
#include "runtime/recorded_call.h"

namespace cordon {

Result<Recording> Host::Record(const std::filesystem::path& source, std::string_view action,
                               std::string_view input_json, const LoadOptions& options,
                               const CallOptions& call_options) {
  return embed::Guarded([&]() -> Result<Recording> {
    CORDON_ASSIGN(runtime::LoadRequest request, embed::Prepare(*state_, options));
    request.source = source;
    runtime::BeginRecording(request);
    CORDON_ASSIGN(auto state, embed::LoadState(state_, request));
    const Plugin plugin(std::move(state));
    Recording recording;
    const Status done = plugin.Call(action, input_json, call_options, recording.answer);
    CORDON_ASSIGN(const runtime::RecordedCall recorded, runtime::EndRecording(request, *plugin.state().plugin, action,
                                                                              input_json, done, recording.answer.json));
    recording.fixture = runtime::FixtureText(recorded.fixture);
    for (const policy::Capability& used : recorded.used) recording.grants.push_back(used.ToString());
    if (!done) recording.failure = done.error();
    return recording;
  });
}

Result<Answer> Host::Replay(std::string_view fixture_text, const std::filesystem::path& source) {
  return embed::Guarded([&]() -> Result<Answer> {
    CORDON_ASSIGN(runtime::Fixture fixture, runtime::ParseFixture(fixture_text, "the fixture"));
    CORDON_ASSIGN(runtime::LoadRequest request, embed::Prepare(*state_, {}));
    request.source = source;
    runtime::BeginReplay(request, fixture);
    CORDON_ASSIGN(auto state, embed::LoadState(state_, request));
    const Plugin plugin(std::move(state));
    Answer answer;
    const Status done = plugin.Call(fixture.action, fixture.input, {}, answer);
    CORDON_TRY(runtime::CheckReplay(request, fixture, done, answer.json));
    if (!done) return Fail(done.error());
    return answer;
  });
}

}  // namespace cordon
