// In whose name a plugin is called, what it remembers, and messages.
#include <cordon/host.h>

#include <iostream>
#include <map>
#include <mutex>

// [memory]
// Notes of a program of one's own: a list for each place, searched by text.
class Notes final : public cordon::Memory {
 public:
  cordon::Result<std::string> Store(const Place& place, std::string_view text,
                                    std::span<const std::string> labels) override {
    const std::lock_guard lock(mutex_);
    std::vector<Entry>& entries = notes_[place.owner + "|" + place.name];
    if (entries.size() >= place.entries_max) return cordon::Fail(cordon::Code::kLimit, "too many notes");
    entries.push_back({"note-" + std::to_string(++last_), std::string(text), {labels.begin(), labels.end()}, 0});
    return entries.back().id;
  }
  cordon::Result<std::vector<Entry>> Recall(const Place& place, std::string_view query, std::size_t max) override {
    const std::lock_guard lock(mutex_);
    std::vector<Entry> found;
    for (const Entry& entry : notes_[place.owner + "|" + place.name]) {
      if (found.size() < max && entry.text.find(query) != std::string::npos) found.push_back(entry);
    }
    return found;
  }
  cordon::Result<bool> Forget(const Place& place, std::string_view id) override {
    const std::lock_guard lock(mutex_);
    return std::erase_if(notes_[place.owner + "|" + place.name], [&](const Entry& e) { return e.id == id; }) > 0;
  }
  cordon::Result<std::uint64_t> ForgetAll(const Place& place) override {
    const std::lock_guard lock(mutex_);
    const auto forgotten = notes_.extract(place.owner + "|" + place.name);
    return forgotten.empty() ? 0 : forgotten.mapped().size();
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<Entry>> notes_;
  int last_ = 0;
};
// [/memory]

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path guests = argv[1];

  // [host]
  cordon::HostOptions options;
  options.memory = std::make_shared<Notes>();
  auto host = cordon::Host::Create(std::move(options));
  // [/host]

  auto plugin =
      host->Load(guests / "agent.wasm",
                 {.grants = {"ctx:user", "memory:store:session", "memory:recall:session", "msg:send:alerts"}});
  if (!plugin) {
    std::cout << plugin.error().message << "\n";
    return 1;
  }
  const std::string agent = "cordon:agent-guest/agent@0.1.0#";

  // [call]
  cordon::CallOptions call;
  call.principal = {.user = "alice", .session = "s-81"};
  std::cout << plugin->Call(agent + "who", "{}", call)->json << "\n";
  // [/call]

  const char* tea = R"({"scope": "session", "text": "Ada likes green tea", "labels": []})";
  std::cout << plugin->Call(agent + "store", tea, call)->json << "\n";
  const char* query = R"({"scope": "session", "query": "tea", "max": 1})";
  std::cout << plugin->Call(agent + "recall", query, call)->json << "\n";
  call.principal.session = "s-82";
  std::cout << plugin->Call(agent + "recall", query, call)->json << "\n";

  (void)plugin->Call(agent + "send", R"({"channel": "alerts", "body": "disk is nearly full"})");

  // [receive]
  const auto messages = host->Receive("alerts", 10);
  for (const cordon::Message& message : *messages) {
    std::cout << message.sender << ": " << std::string(message.body.begin(), message.body.end()) << "\n";
    if (!*host->Acknowledge("alerts", message.id)) std::cout << "it took too long, and is delivered again\n";
  }
  // [/receive]
}
