// plugin.yaml and config.yaml from hostile hands: nothing crashes, every error has its place, and what is taken means
// the same when it is written out and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "formats/yaml.h"
#include "manifest/config.h"
#include "manifest/limits.h"
#include "manifest/manifest.h"

namespace {

using cordon::Fail;
using cordon::Result;

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckError(const cordon::Error& error) {
  Require(!error.message.empty() && error.place.has_value());
  Require(error.causes.size() <= cordon::manifest::kErrorsMax);
}

// Files that refer to each other, to themselves, and to places outside.
Result<std::string> Resolve(const std::string& path) {
  if (path == "a.json") return R"({"type":"object","properties":{"b":{"$ref":"./s/b.json"}}})";
  if (path == "s/b.json") return R"({"$defs":{"t":{"type":"string"}},"$ref":"#/$defs/t"})";
  if (path == "loop.json") return R"({"items":{"$ref":"loop.json"}})";
  if (path == "out.json") return R"({"$ref":"../out.json"})";
  return Fail(cordon::Code::kNotFound, "no file of that name");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace manifest = cordon::manifest;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const manifest::Environment environment = [](std::string_view) { return std::string("/home/operator"); };

  const Result<manifest::Config> config = manifest::ParseConfig(text, "config.yaml", environment);
  if (!config) CheckError(config.error());

  const Result<manifest::Manifest> parsed = manifest::ParseManifest(text, "plugin.yaml", Resolve);
  if (!parsed) {
    CheckError(parsed.error());
    return 0;
  }
  Require(parsed->name.find('/') != std::string::npos);
  const manifest::Config ceiling;
  const manifest::Limits limits = manifest::EffectiveLimits(&*parsed, ceiling);
  Require(limits.memory <= ceiling.limits.memory && limits.memory.count > 0);
  Require(limits.timeout <= ceiling.limits.timeout && limits.timeout.count() > 0);
  const std::string canonical = manifest::CanonicalText(*parsed);
  const Result<manifest::Manifest> again = manifest::ParseManifest(canonical, "plugin.yaml", Resolve);
  // Written out, a document may be larger than a file may be; otherwise it is the same manifest.
  if (!again) {
    Require(again.error().code == cordon::Code::kLimit);
    return 0;
  }
  Require(manifest::CanonicalText(*again) == canonical);
  return 0;
}
