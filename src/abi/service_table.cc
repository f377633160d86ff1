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

// One row for each interface, one array of functions above.
constexpr std::array<ServiceInterface, 1> kServices = {{
    {"wasi:logging/logging", "", Kind::kLog, "log", kLogging},
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
