// Services whose functions are callbacks.
#include <span>

#include "abi/value_codec.h"
#include "capi/handles.h"
#include "capi/shape.h"

namespace cordon::capi {
namespace {

struct Callback {
  cordon_service_callback call;
  std::shared_ptr<void> user;
  enum class Payload { kJson, kWire } payload = Payload::kJson;
  ShapeTypes types;
};

const ServiceCall* Of(const cordon_service_call* call) { return reinterpret_cast<const ServiceCall*>(call); }

// The reply's bytes, as the encoder's. It may borrow them, so they stay with it.
void Keep(Encoder& reply, std::shared_ptr<const std::string> bytes) {
  reply.Block(bytes->data(), bytes->size());
  reply.Hold(std::move(bytes));
}

Status KeepJson(const Callback& callback, const std::string& text, Encoder& reply) {
  if (callback.types.result == wit::kNone) return {};
  const auto misfit = [](const Error& error) {
    return Fail(Code::kService, "the reply is not a value of the function's type: " + error.message, error.remedy);
  };
  auto value = json::Parse(text, "the reply");
  if (!value) return misfit(value.error());
  std::vector<std::uint8_t> wire;
  const Status encoded = abi::EncodeValue(callback.types.contract, callback.types.result, *value, wire);
  if (!encoded) return misfit(encoded.error());
  Keep(reply, std::make_shared<const std::string>(wire.begin(), wire.end()));
  return {};
}

Status Serve(const Callback& callback, const ServiceCall& call, ByteView payload, Encoder& reply) {
  std::string json;
  cordon_bytes given = {payload.data(), payload.size()};
  if (callback.payload == Callback::Payload::kJson) {
    if (callback.types.parameters == wit::kNone) {
      json = "[]";
    } else {
      CORDON_TRY(abi::DecodeValueText(callback.types.contract, callback.types.parameters, payload, json));
    }
    given = {reinterpret_cast<const std::uint8_t*>(json.data()), json.size()};
  }
  cordon_reply answer;
  const cordon_code code =
      callback.call(callback.user.get(), reinterpret_cast<const cordon_service_call*>(&call), given, &answer);
  if (code != CORDON_OK) {
    if (answer.message.empty()) answer.message = "the service failed with " + std::to_string(code);
    return Fail(CodeOf(code), std::move(answer.message), std::move(answer.remedy));
  }
  if (callback.payload == Callback::Payload::kJson) return KeepJson(callback, answer.bytes, reply);
  Keep(reply, std::make_shared<const std::string>(std::move(answer.bytes)));
  return {};
}

Result<Service::Entry> EntryOf(const cordon_service_function& in, std::shared_ptr<void> user) {
  if (in.callback == nullptr) return capi::Needs("the callback");
  auto callback = std::make_shared<Callback>();
  callback->call = in.callback;
  callback->user = std::move(user);
  CORDON_TRY(ReadEnum(in.payload, 2, "payload", callback->payload));
  CORDON_ASSIGN(callback->types, ParseShape(ViewOf(in.shape)));
  Runs runs = Runs::kAside;
  CORDON_TRY(ReadEnum(in.runs, 2, "runs", runs));
  cordon::Needs capability(StringOf(in.capability));
  if (in.per_target != 0) capability = std::move(capability).PerTarget();
  return Service::Entry{StringOf(in.name), StringOf(in.shape), std::move(capability), runs,
                        [callback = std::move(callback)](const ServiceCall& call, ByteView payload, Encoder& reply) {
                          return Serve(*callback, call, payload, reply);
                        }};
}

}  // namespace
}  // namespace cordon::capi

namespace capi = cordon::capi;
using cordon::Status;

extern "C" {

cordon_text cordon_service_call_plugin(const cordon_service_call* call) {
  return call == nullptr ? cordon_text{} : capi::TextOf(capi::Of(call)->plugin());
}

uint64_t cordon_service_call_id(const cordon_service_call* call) {
  return call == nullptr ? 0 : capi::Of(call)->call_id();
}

uint64_t cordon_service_call_deadline_ns(const cordon_service_call* call) {
  if (call == nullptr) return 0;
  const auto deadline = capi::Of(call)->deadline();
  if (deadline == std::chrono::steady_clock::time_point::max()) return 0;
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(deadline.time_since_epoch()).count());
}

size_t cordon_service_call_callers(const cordon_service_call* call) {
  return call == nullptr ? 0 : capi::Of(call)->callers().size();
}

cordon_text cordon_service_call_caller(const cordon_service_call* call, size_t index) {
  if (index >= cordon_service_call_callers(call)) return {};
  return capi::TextOf(capi::Of(call)->callers()[index]);
}

cordon_code cordon_service_call_allow(const cordon_service_call* call, cordon_text target, cordon_failure** failure) {
  return capi::Enter(failure, [&]() -> Status {
    if (call == nullptr) return capi::Needs("the call");
    return capi::Of(call)->Allow(capi::ViewOf(target));
  });
}

cordon_code cordon_reply_write(cordon_reply* reply, cordon_bytes bytes) {
  return capi::Enter(nullptr, [&]() -> Status {
    if (reply == nullptr) return capi::Needs("the reply");
    const cordon::ByteView view = capi::ViewOf(bytes);
    reply->bytes.append(reinterpret_cast<const char*>(view.data()), view.size());
    return {};
  });
}

cordon_code cordon_reply_fail(cordon_reply* reply, cordon_text message, cordon_text remedy) {
  return capi::Enter(nullptr, [&]() -> Status {
    if (reply == nullptr) return capi::Needs("the reply");
    reply->message = capi::ViewOf(message);
    reply->remedy = capi::ViewOf(remedy);
    return {};
  });
}

cordon_code cordon_service_new(cordon_text interface_name, cordon_service** service, cordon_failure** failure) {
  if (service != nullptr) *service = nullptr;
  return capi::Enter(failure, [&]() -> Status {
    if (service == nullptr) return capi::Needs("the place for the service");
    if (interface_name.len == 0) return capi::Needs("the interface's name");
    *service = new cordon_service{cordon::Service(capi::StringOf(interface_name))};
    return {};
  });
}

cordon_code cordon_service_add(cordon_service* service, const cordon_service_function* function,
                               cordon_failure** failure) {
  return capi::Enter(failure, [&]() -> Status {
    cordon_service_function in;
    const Status read =
        capi::ReadOptions(function, offsetof(cordon_service_function, destroy) + sizeof(cordon_destroy_callback), in);
    auto user = capi::Owned(in.user, in.destroy);
    CORDON_TRY(read);
    if (service == nullptr) return capi::Needs("the service");
    CORDON_ASSIGN(cordon::Service::Entry entry, capi::EntryOf(in, std::move(user)));
    service->service.Add(std::move(entry));
    return {};
  });
}

cordon_code cordon_host_register(cordon_host* host, const cordon_service* service, cordon_failure** failure) {
  return capi::Enter(failure, [&]() -> Status {
    if (host == nullptr) return capi::Needs("the host");
    if (service == nullptr) return capi::Needs("the service");
    return host->host.Register(service->service);
  });
}

void cordon_service_free(cordon_service* service) { delete service; }

}  // extern "C"
