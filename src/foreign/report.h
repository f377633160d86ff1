// What an import makes of a foreign manifest: ours, what its operator had granted, and what became of each field.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace cordon::foreign {

// What became of one field of the source.
struct Finding {
  enum class Fate : std::uint8_t { kCarried, kNarrowed /* less than it said */, kLost };
  Fate fate = Fate::kLost;
  std::string from;  // "allowed_hosts[0]"
  std::string to;    // "http:GET:https://a.example/*", or a key of plugin.yaml; empty when it is lost
  std::string why;   // of one that is narrowed or lost
};
std::string_view FateName(Finding::Fate fate);

// Text of the source stays the source's: escape before display.
struct Imported {
  std::string_view origin;  // "extism", "fledge", "zeroclaw", "nexus", "autokestra", "wassette"
  OrderedJson manifest = OrderedJson::object();
  // Compact, and the folders behind their roots: what whoever wrote the source could grant. Empty when it only asked.
  std::vector<std::string> grants;
  std::map<std::string, std::filesystem::path> roots;
  std::filesystem::path artifact;  // as the source names it; empty when it names none
  std::string artifact_bytes;      // that the source holds itself
  std::vector<Finding> findings;
};

}  // namespace cordon::foreign
