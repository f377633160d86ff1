#include "cli/plugin_name.h"

#include <filesystem>

#include "base/text.h"
#include "manifest/name.h"
#include "runtime/source.h"

namespace cordon::cli {

namespace fs = std::filesystem;

Result<std::string> PluginNameOf(const std::string& word) {
  std::error_code error;
  if (fs::exists(word, error)) {
    CORDON_ASSIGN(const runtime::Source source, runtime::ReadSource(word));
    return source.name;
  }
  auto name = manifest::ParsePluginName(word);
  if (name) return name;
  return Fail(Code::kNotFound, "there is no plugin '" + EscapeShort(word, 120) + "'",
              "see what is granted: cordon plugin grants");
}

}  // namespace cordon::cli
