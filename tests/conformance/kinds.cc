#include "kinds.h"

#include <algorithm>

#include "absence.h"

namespace cordon::conformance {
namespace {

using runtime::HostOptions;
using Runs = Kind::Runs;
using Speaks = Kind::Speaks;

constexpr std::string_view kSettings = "wasi:config/store@0.2.0-rc.1#get";
constexpr std::string_view kHttp = "wasi:http/outgoing-handler@0.2.0#handle";

// What a module that knows preview 1 and nothing else cannot ask for.
const std::vector<NotApplicable> kPreview1Lacks = {
    {"config", "preview 1 has no settings", ImportIsRefused, kSettings},
    {"state", "preview 1 keeps nothing but files", ImportIsRefused, "wasi:keyvalue/store@0.2.0-draft2#open"},
    {"log", "preview 1 has no log but stderr", ImportIsRefused, "wasi:logging/logging@0.1.0-draft#log"},
    {"http_allowed", "preview 1 has no HTTP", ImportIsRefused, kHttp},
    {"http_denied", "preview 1 has no HTTP", ImportIsRefused, kHttp},
};
const std::vector<NotApplicable> kFledgeLacks = {
    {"config", "fledge-v1 has no settings", ImportIsRefused, kSettings},
    {"http_allowed", "a Wasm plugin for fledge has no HTTP", ImportIsRefused, kHttp},
    {"http_denied", "a Wasm plugin for fledge has no HTTP", ImportIsRefused, kHttp},
};
const std::vector<NotApplicable> kNativeLacks = {
    {"config", "fledge-v1 has no settings", GrantIsOfNoUse, "config"},
    {"http_allowed", "inside of the confinement is no network", PageIsRefused, "/*"},
    {"http_denied", "inside of the confinement is no network", PageIsRefused, "/*"},
    {"clock_and_random", "a program has the machine's own", ClockIsFine, ""},
};

const Kind kKinds[] = {
    {"component"},
    {"core", Speaks::kStandardText, kPreview1Lacks},
    {"extism"},
    {"command-p1", Speaks::kProgram, kPreview1Lacks},
    {"command-p2", Speaks::kProgram},
    {"fledge", Speaks::kProgram, kFledgeLacks},
    {"zeroclaw"},
    {"native", Speaks::kProgram, kNativeLacks, Runs::kProcess},
};

constexpr Placement kPlacements[] = {
    {"direct", [](HostOptions& options) { options.channel = HostOptions::Channel::kDirect; }},
    {"codec", [](HostOptions& options) { options.channel = HostOptions::Channel::kCodec; }},
    {"worker",
     [](HostOptions& options) {
       options.placement = HostOptions::Placement::kWorkers;
       options.worker = CORDON_WORKER_PATH;
     }},
};

}  // namespace

const NotApplicable* Kind::Lacks(std::string_view behaviour) const {
  const auto found = std::ranges::find(lacks, behaviour, &NotApplicable::behaviour);
  return found == lacks.end() ? nullptr : &*found;
}

std::span<const Kind> Kinds() { return kKinds; }
std::span<const Placement> Placements() { return kPlacements; }

}  // namespace cordon::conformance
