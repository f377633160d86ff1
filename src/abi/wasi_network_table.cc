// The functions of wasi:http and wasi:sockets that the engine offers, with their shapes (abi/wasi_table.h).
#include "abi/wasi_table.h"

namespace cordon::abi {
namespace {

#define HTTP_ERROR                                                                                   \
  "variant{DNS-timeout,DNS-error:record{rcode:option<string>,info-code:option<u16>},"                \
  "destination-not-found,destination-unavailable,destination-IP-prohibited,"                         \
  "destination-IP-unroutable,connection-refused,connection-terminated,connection-timeout,"           \
  "connection-read-timeout,connection-write-timeout,connection-limit-reached,TLS-protocol-error,"    \
  "TLS-certificate-error,TLS-alert-received:record{alert-id:option<u8>,"                             \
  "alert-message:option<string>},HTTP-request-denied,HTTP-request-length-required,"                  \
  "HTTP-request-body-size:option<u64>,HTTP-request-method-invalid,HTTP-request-URI-invalid,"         \
  "HTTP-request-URI-too-long,HTTP-request-header-section-size:option<u32>,"                          \
  "HTTP-request-header-size:option<record{field-name:option<string>,field-size:option<u32>}>,"       \
  "HTTP-request-trailer-section-size:option<u32>,"                                                   \
  "HTTP-request-trailer-size:record{field-name:option<string>,field-size:option<u32>},"              \
  "HTTP-response-incomplete,HTTP-response-header-section-size:option<u32>,"                          \
  "HTTP-response-header-size:record{field-name:option<string>,field-size:option<u32>},"              \
  "HTTP-response-body-size:option<u64>,HTTP-response-trailer-section-size:option<u32>,"              \
  "HTTP-response-trailer-size:record{field-name:option<string>,field-size:option<u32>},"             \
  "HTTP-response-transfer-coding:option<string>,HTTP-response-content-coding:option<string>,"        \
  "HTTP-response-timeout,HTTP-upgrade-failed,HTTP-protocol-error,loop-detected,configuration-error," \
  "internal-error:option<string>}"
#define SOCKET_ERROR                                                                            \
  "enum{unknown,access-denied,not-supported,invalid-argument,out-of-memory,timeout,"            \
  "concurrency-conflict,not-in-progress,would-block,invalid-state,new-socket-limit,"            \
  "address-not-bindable,address-in-use,remote-unreachable,connection-refused,connection-reset," \
  "connection-aborted,datagram-too-large,name-unresolvable,temporary-resolver-failure,"         \
  "permanent-resolver-failure}"
#define METHOD "variant{get,head,post,put,delete,connect,options,trace,patch,other:string}"
#define SCHEME "variant{HTTP,HTTPS,other:string}"
#define HEADER_ERROR "variant{invalid-syntax,forbidden,immutable}"
#define SOCKET_ADDRESS                                                                           \
  "variant{ipv4:record{port:u16,address:tuple<u8,u8,u8,u8>},ipv6:record{port:u16,flow-info:u32," \
  "address:tuple<u16,u16,u16,u16,u16,u16,u16,u16>,scope-id:u32}}"
#define IP_ADDRESS "variant{ipv4:tuple<u8,u8,u8,u8>,ipv6:tuple<u16,u16,u16,u16,u16,u16,u16,u16>}"
#define FAMILY "enum{ipv4,ipv6}"

constexpr WasiFunction kNetworkFunctions[] = {
    {"wasi:http/types", "[constructor]fields", "()->resource"},
    {"wasi:http/types", "[static]fields.from-list",
     "(list<tuple<string,list<u8>>>)->result<resource," HEADER_ERROR ">"},
    {"wasi:http/types", "[method]fields.get", "(resource,string)->list<list<u8>>"},
    {"wasi:http/types", "[method]fields.has", "(resource,string)->bool"},
    {"wasi:http/types", "[method]fields.set", "(resource,string,list<list<u8>>)->result<_," HEADER_ERROR ">"},
    {"wasi:http/types", "[method]fields.delete", "(resource,string)->result<_," HEADER_ERROR ">"},
    {"wasi:http/types", "[method]fields.append", "(resource,string,list<u8>)->result<_," HEADER_ERROR ">"},
    {"wasi:http/types", "[method]fields.entries", "(resource)->list<tuple<string,list<u8>>>"},
    {"wasi:http/types", "[method]fields.clone", "(resource)->resource"},
    {"wasi:http/types", "[method]incoming-request.method", "(resource)->" METHOD},
    {"wasi:http/types", "[method]incoming-request.path-with-query", "(resource)->option<string>"},
    {"wasi:http/types", "[method]incoming-request.scheme", "(resource)->option<" SCHEME ">"},
    {"wasi:http/types", "[method]incoming-request.authority", "(resource)->option<string>"},
    {"wasi:http/types", "[method]incoming-request.headers", "(resource)->resource"},
    {"wasi:http/types", "[method]incoming-request.consume", "(resource)->result<resource,_>"},
    {"wasi:http/types", "[constructor]outgoing-request", "(resource)->resource"},
    {"wasi:http/types", "[method]outgoing-request.body", "(resource)->result<resource,_>"},
    {"wasi:http/types", "[method]outgoing-request.method", "(resource)->" METHOD},
    {"wasi:http/types", "[method]outgoing-request.set-method", "(resource," METHOD ")->result<_,_>"},
    {"wasi:http/types", "[method]outgoing-request.path-with-query", "(resource)->option<string>"},
    {"wasi:http/types", "[method]outgoing-request.set-path-with-query", "(resource,option<string>)->result<_,_>"},
    {"wasi:http/types", "[method]outgoing-request.scheme", "(resource)->option<" SCHEME ">"},
    {"wasi:http/types", "[method]outgoing-request.set-scheme", "(resource,option<" SCHEME ">)->result<_,_>"},
    {"wasi:http/types", "[method]outgoing-request.authority", "(resource)->option<string>"},
    {"wasi:http/types", "[method]outgoing-request.set-authority", "(resource,option<string>)->result<_,_>"},
    {"wasi:http/types", "[method]outgoing-request.headers", "(resource)->resource"},
    {"wasi:http/types", "[constructor]request-options", "()->resource"},
    {"wasi:http/types", "[method]request-options.connect-timeout", "(resource)->option<u64>"},
    {"wasi:http/types", "[method]request-options.set-connect-timeout", "(resource,option<u64>)->result<_,_>"},
    {"wasi:http/types", "[method]request-options.first-byte-timeout", "(resource)->option<u64>"},
    {"wasi:http/types", "[method]request-options.set-first-byte-timeout", "(resource,option<u64>)->result<_,_>"},
    {"wasi:http/types", "[method]request-options.between-bytes-timeout", "(resource)->option<u64>"},
    {"wasi:http/types", "[method]request-options.set-between-bytes-timeout", "(resource,option<u64>)->result<_,_>"},
    {"wasi:http/types", "[static]response-outparam.set", "(resource,result<resource," HTTP_ERROR ">)"},
    {"wasi:http/types", "[method]incoming-response.status", "(resource)->u16"},
    {"wasi:http/types", "[method]incoming-response.headers", "(resource)->resource"},
    {"wasi:http/types", "[method]incoming-response.consume", "(resource)->result<resource,_>"},
    {"wasi:http/types", "[method]incoming-body.stream", "(resource)->result<resource,_>"},
    {"wasi:http/types", "[static]incoming-body.finish", "(resource)->resource"},
    {"wasi:http/types", "[method]future-trailers.subscribe", "(resource)->resource"},
    {"wasi:http/types", "[method]future-trailers.get",
     "(resource)->option<result<result<option<resource>," HTTP_ERROR ">,_>>"},
    {"wasi:http/types", "[constructor]outgoing-response", "(resource)->resource"},
    {"wasi:http/types", "[method]outgoing-response.status-code", "(resource)->u16"},
    {"wasi:http/types", "[method]outgoing-response.set-status-code", "(resource,u16)->result<_,_>"},
    {"wasi:http/types", "[method]outgoing-response.headers", "(resource)->resource"},
    {"wasi:http/types", "[method]outgoing-response.body", "(resource)->result<resource,_>"},
    {"wasi:http/types", "[method]outgoing-body.write", "(resource)->result<resource,_>"},
    {"wasi:http/types", "[static]outgoing-body.finish", "(resource,option<resource>)->result<_," HTTP_ERROR ">"},
    {"wasi:http/types", "[method]future-incoming-response.subscribe", "(resource)->resource"},
    {"wasi:http/types", "[method]future-incoming-response.get",
     "(resource)->option<result<result<resource," HTTP_ERROR ">,_>>"},
    {"wasi:http/types", "http-error-code", "(resource)->option<" HTTP_ERROR ">"},
    {"wasi:http/outgoing-handler", "handle", "(resource,option<resource>)->result<resource," HTTP_ERROR ">"},
    {"wasi:sockets/network", "", ""},
    {"wasi:sockets/instance-network", "instance-network", "()->resource"},
    {"wasi:sockets/ip-name-lookup", "[method]resolve-address-stream.resolve-next-address",
     "(resource)->result<option<" IP_ADDRESS ">," SOCKET_ERROR ">"},
    {"wasi:sockets/ip-name-lookup", "[method]resolve-address-stream.subscribe", "(resource)->resource"},
    {"wasi:sockets/ip-name-lookup", "resolve-addresses", "(resource,string)->result<resource," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.start-bind",
     "(resource,resource," SOCKET_ADDRESS ")->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.finish-bind", "(resource)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.start-connect",
     "(resource,resource," SOCKET_ADDRESS ")->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.finish-connect",
     "(resource)->result<tuple<resource,resource>," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.start-listen", "(resource)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.finish-listen", "(resource)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.accept",
     "(resource)->result<tuple<resource,resource,resource>," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.local-address", "(resource)->result<" SOCKET_ADDRESS "," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.remote-address",
     "(resource)->result<" SOCKET_ADDRESS "," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.is-listening", "(resource)->bool"},
    {"wasi:sockets/tcp", "[method]tcp-socket.address-family", "(resource)->" FAMILY},
    {"wasi:sockets/tcp", "[method]tcp-socket.set-listen-backlog-size", "(resource,u64)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.keep-alive-enabled", "(resource)->result<bool," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.set-keep-alive-enabled", "(resource,bool)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.keep-alive-idle-time", "(resource)->result<u64," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.set-keep-alive-idle-time", "(resource,u64)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.keep-alive-interval", "(resource)->result<u64," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.set-keep-alive-interval", "(resource,u64)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.keep-alive-count", "(resource)->result<u32," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.set-keep-alive-count", "(resource,u32)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.hop-limit", "(resource)->result<u8," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.set-hop-limit", "(resource,u8)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.receive-buffer-size", "(resource)->result<u64," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.set-receive-buffer-size", "(resource,u64)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.send-buffer-size", "(resource)->result<u64," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.set-send-buffer-size", "(resource,u64)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp", "[method]tcp-socket.subscribe", "(resource)->resource"},
    {"wasi:sockets/tcp", "[method]tcp-socket.shutdown",
     "(resource,enum{receive,send,both})->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/tcp-create-socket", "create-tcp-socket", "(" FAMILY ")->result<resource," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.start-bind",
     "(resource,resource," SOCKET_ADDRESS ")->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.finish-bind", "(resource)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.stream",
     "(resource,option<" SOCKET_ADDRESS ">)->result<tuple<resource,resource>," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.local-address", "(resource)->result<" SOCKET_ADDRESS "," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.remote-address",
     "(resource)->result<" SOCKET_ADDRESS "," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.address-family", "(resource)->" FAMILY},
    {"wasi:sockets/udp", "[method]udp-socket.unicast-hop-limit", "(resource)->result<u8," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.set-unicast-hop-limit", "(resource,u8)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.receive-buffer-size", "(resource)->result<u64," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.set-receive-buffer-size", "(resource,u64)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.send-buffer-size", "(resource)->result<u64," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.set-send-buffer-size", "(resource,u64)->result<_," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]udp-socket.subscribe", "(resource)->resource"},
    {"wasi:sockets/udp", "[method]incoming-datagram-stream.receive",
     "(resource,u64)->result<list<record{data:list<u8>,remote-address:" SOCKET_ADDRESS "}>," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]incoming-datagram-stream.subscribe", "(resource)->resource"},
    {"wasi:sockets/udp", "[method]outgoing-datagram-stream.check-send", "(resource)->result<u64," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]outgoing-datagram-stream.send",
     "(resource,list<record{data:list<u8>,remote-address:option<" SOCKET_ADDRESS ">}>)->result<u64," SOCKET_ERROR ">"},
    {"wasi:sockets/udp", "[method]outgoing-datagram-stream.subscribe", "(resource)->resource"},
    {"wasi:sockets/udp-create-socket", "create-udp-socket", "(" FAMILY ")->result<resource," SOCKET_ERROR ">"},
};

}  // namespace

std::span<const WasiFunction> NetworkFunctions() { return kNetworkFunctions; }

}  // namespace cordon::abi
