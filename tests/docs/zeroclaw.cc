// A plugin of zeroclaw in a program of one's own.
#include <cordon/host.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path guests = argv[1];
  auto host = cordon::Host::Create();
  // [own]
  cordon::Service user("extism:host/user");
  user.Function("context_agent_config", cordon::Needs("agents"), [](const cordon::ServiceCall&, std::string) {
    return std::string(R"({"name": "Ada's", "personality_traits": ["brief"], "identity": {"role": "clerk"}})");
  });
  // [/own]
  if (const cordon::Status registered = host->Register(std::move(user)); !registered) return 1;
  // The guest imports all ten functions.
  const std::vector<std::string> grants = {"memory:store:agent", "memory:recall:agent", "memory:forget:agent",
                                           "msg:send:alerts",    "call:acme/b#lookup",  "exec:true",
                                           "ctx:user",           "ctx:session",         "host:agents"};
  // [load]
  auto plugin = host->Load(guests / "zeroclaw_extism.wasm", {.grants = grants});
  cordon::CallOptions call;
  call.principal = {.user = "alice", .session = "telegram/42", .agent = "helper"};
  const std::string note = R"({"key": "ada", "value": "Ada likes green tea"})";
  std::cout << plugin->Call("remember", note, call)->json << "\n";  // {"output":"remembered","success":true}
  // [/load]
  const std::string who = plugin->Call("whoami", "{}", call)->json;
  std::cout << (who.find("clerk") != who.npos ? "the program's own clerk" : who) << "\n";
  const std::string found = plugin->Call("recall", R"({"query": "tea"})", call)->json;
  std::cout << (found.find("Ada likes green tea") != found.npos ? "found" : found) << "\n";
}
