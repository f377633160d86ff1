#include "abi/service_table.h"

#include <algorithm>
#include <array>

#include "abi/wasi_table.h"

namespace cordon::abi {
namespace {

using engine::HostImport;
using policy::Kind;

constexpr std::string_view kLogShape = "(enum{trace,debug,info,warn,error,critical},string,string)";
constexpr ServiceFunction kLogging[] = {{"log", kLogShape, HostImport::Kind::kQuick}};

#define KV_ERROR "variant{no-such-store,access-denied,other:string}"
constexpr ServiceFunction kStore[] = {
    {"open", "(string)->result<own<bucket>," KV_ERROR ">", HostImport::Kind::kQuick},
    {"[method]bucket.get", "(borrow<bucket>,string)->result<option<list<u8>>," KV_ERROR ">", HostImport::Kind::kQuick},
    {"[method]bucket.set", "(borrow<bucket>,string,list<u8>)->result<_," KV_ERROR ">"},
    {"[method]bucket.delete", "(borrow<bucket>,string)->result<_," KV_ERROR ">"},
    {"[method]bucket.exists", "(borrow<bucket>,string)->result<bool," KV_ERROR ">", HostImport::Kind::kQuick},
    {"[method]bucket.list-keys",
     "(borrow<bucket>,option<string>)->result<record{keys:list<string>,cursor:option<string>}," KV_ERROR ">",
     HostImport::Kind::kQuick},
};
constexpr ServiceFunction kAtomics[] = {
    {"increment", "(borrow<bucket>,string,s64)->result<s64," KV_ERROR ">"},
    {"swap", "(own<cas>,list<u8>)->result<_,variant{store-error:" KV_ERROR ",cas-failed:own<cas>}>"},
    {"[static]cas.new", "(borrow<bucket>,string)->result<own<cas>," KV_ERROR ">", HostImport::Kind::kQuick},
    {"[method]cas.current", "(borrow<cas>)->result<option<list<u8>>," KV_ERROR ">", HostImport::Kind::kQuick},
};
constexpr ServiceFunction kBatch[] = {
    {"get-many", "(borrow<bucket>,list<string>)->result<list<tuple<string,option<list<u8>>>>," KV_ERROR ">"},
    {"set-many", "(borrow<bucket>,list<tuple<string,list<u8>>>)->result<_," KV_ERROR ">"},
    {"delete-many", "(borrow<bucket>,list<string>)->result<_," KV_ERROR ">"},
};
#undef KV_ERROR
#define CONFIG_ERROR "variant{upstream:string,io:string}"
constexpr ServiceFunction kConfigStore[] = {
    {"get", "(string)->result<option<string>," CONFIG_ERROR ">", HostImport::Kind::kQuick},
    {"get-all", "()->result<list<tuple<string,string>>," CONFIG_ERROR ">", HostImport::Kind::kQuick},
};
#undef CONFIG_ERROR
constexpr ServiceFunction kSecretStore[] = {
    {"get", "(string)->result<string,variant{access-denied,not-found,other:string}>"},
};
#define CONTEXT_SHAPE "()->result<option<string>,variant{access-denied,other:string}>"
constexpr ServiceFunction kCall[] = {
    {"user", CONTEXT_SHAPE, HostImport::Kind::kQuick},
    {"session", CONTEXT_SHAPE, HostImport::Kind::kQuick},
    {"agent", CONTEXT_SHAPE, HostImport::Kind::kQuick},
};
#undef CONTEXT_SHAPE
#define MEMORY_ERROR "variant{access-denied,no-scope,other:string}"
#define MEMORY_SCOPE "enum{plugin,session,agent}"
constexpr ServiceFunction kMemory[] = {
    {"store", "(" MEMORY_SCOPE ",string,list<string>)->result<string," MEMORY_ERROR ">"},
    {"recall", "(" MEMORY_SCOPE ",string,u32)->"
               "result<list<record{id:string,text:string,labels:list<string>,stored-ms:u64}>," MEMORY_ERROR ">"},
    {"forget", "(" MEMORY_SCOPE ",string)->result<bool," MEMORY_ERROR ">"},
    {"forget-all", "(" MEMORY_SCOPE ")->result<u64," MEMORY_ERROR ">"},
};
#undef MEMORY_SCOPE
#undef MEMORY_ERROR
constexpr ServiceFunction kProducer[] = {
    {"send", "(string,list<u8>)->result<string,variant{access-denied,queue-full,rate-limited,other:string}>"},
};
#define RECEIVE_ERROR "variant{access-denied,other:string}"
constexpr ServiceFunction kConsumer[] = {
    {"receive",
     "(string,u32)->result<list<record{id:string,sender:variant{host,plugin:string},sent-ms:u64,attempt:u32,"
     "body:list<u8>}>," RECEIVE_ERROR ">"},
    {"acknowledge", "(string,string)->result<bool," RECEIVE_ERROR ">"},
};
#undef RECEIVE_ERROR
constexpr ServiceFunction kDirectory[] = {
    {"to-send", "()->result<list<string>,variant{access-denied,other:string}>", HostImport::Kind::kQuick}};
constexpr std::string_view kBucketResource[] = {"bucket"};
constexpr std::string_view kAtomicsResources[] = {"bucket", "cas"};

constexpr ServiceFunction kRunner[] = {
    {"run",
     "(string,list<string>,record{directory:option<string>,stdin:list<u8>,timeout-ms:option<u32>})->"
     "result<record{ended:variant{exited:u32,signalled:u32,timed-out},stdout:list<u8>,stderr:list<u8>,"
     "stdout-truncated:bool,stderr-truncated:bool},variant{access-denied:string,other:string}>"},
};

constexpr ServiceFunction kToolCaller[] = {
    {"call",
     "(string,string)->result<string,variant{access-denied:string,answered:string,"
     "failed:record{code:string,message:string}}>",
     HostImport::Kind::kNested},
};
constexpr ServiceFunction kToolCallee[] = {{"callers", "()->list<string>", HostImport::Kind::kQuick}};

// One row for each interface, one array of functions above.
constexpr std::array<ServiceInterface, 14> kServices = {{
    {"wasi:logging/logging", "", Kind::kLog, "log", kLogging},
    {"wasi:keyvalue/store", "0.2.0-draft", Kind::kStorage, "kv:read:BUCKET", kStore, kBucketResource},
    {"wasi:keyvalue/atomics", "0.2.0-draft", Kind::kStorage, "kv:write:BUCKET", kAtomics, kAtomicsResources},
    {"wasi:keyvalue/batch", "0.2.0-draft", Kind::kStorage, "kv:read:BUCKET", kBatch, kBucketResource},
    {"wasi:config/store", "0.2.0-", Kind::kConfig, "config", kConfigStore},
    {"cordon:secrets/store", "1.", Kind::kSecrets, "secret:NAME", kSecretStore},
    {"cordon:context/call", "1.", Kind::kContext, "ctx:user", kCall},
    {"cordon:memory/memory", "1.", Kind::kMemory, "memory:recall:plugin", kMemory},
    {"cordon:messaging/producer", "1.", Kind::kMessaging, "msg:send:CHANNEL", kProducer},
    {"cordon:messaging/consumer", "1.", Kind::kMessaging, "msg:receive:CHANNEL", kConsumer},
    {"cordon:channels/directory", "1.", Kind::kMessaging, "msg:send:CHANNEL", kDirectory},
    {"cordon:exec/runner", "1.", Kind::kExec, "exec:PROGRAM", kRunner},
    {"cordon:tools/caller", "1.", Kind::kCall, "call:NAMESPACE/NAME#ACTION", kToolCaller},
    {"cordon:tools/callee", "1.", {}, "", kToolCallee},
}};

}  // namespace

const ServiceInterface* FindService(std::string_view import) {
  const InterfaceName name = SplitInterface(import);
  const auto it = std::ranges::find_if(kServices, [&](const ServiceInterface& service) {
    return service.name == name.name && name.version.starts_with(service.versions);
  });
  return it == kServices.end() ? nullptr : &*it;
}

std::span<const ServiceInterface> ServiceInterfaces() { return kServices; }

}  // namespace cordon::abi
