#include "policy/network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace cordon::policy {
namespace {

// Second-level names that registries of countries sell below: "co" of co.uk.
constexpr std::string_view kCountrySeconds[] = {"ac",  "asn",  "biz", "co",   "com",    "ed",  "edu", "gen",    "go",
                                                "gob", "gouv", "gov", "govt", "gv",     "id",  "idf", "info",   "k12",
                                                "ltd", "me",   "mil", "muni", "name",   "ne",  "net", "nhs",    "nic",
                                                "nom", "or",   "org", "plc",  "police", "pro", "sch", "school", "web"};

// Names of hosting companies below which their customers live.
constexpr std::string_view kHostingSuffixes[] = {"amazonaws.com",
                                                 "appspot.com",
                                                 "azureedge.net",
                                                 "azurewebsites.net",
                                                 "blob.core.windows.net",
                                                 "blogspot.com",
                                                 "cloudapp.azure.com",
                                                 "cloudapp.net",
                                                 "cloudfront.net",
                                                 "cloudfunctions.net",
                                                 "core.windows.net",
                                                 "deno.dev",
                                                 "digitaloceanspaces.com",
                                                 "duckdns.org",
                                                 "dyndns.org",
                                                 "edgekey.net",
                                                 "execute-api.amazonaws.com",
                                                 "fastly.net",
                                                 "firebaseapp.com",
                                                 "fly.dev",
                                                 "github.io",
                                                 "githubusercontent.com",
                                                 "gitlab.io",
                                                 "glitch.me",
                                                 "herokuapp.com",
                                                 "myshopify.com",
                                                 "netlify.app",
                                                 "ngrok-free.app",
                                                 "ngrok.app",
                                                 "ngrok.io",
                                                 "onrender.com",
                                                 "pages.dev",
                                                 "r2.dev",
                                                 "railway.app",
                                                 "repl.co",
                                                 "run.app",
                                                 "s3.amazonaws.com",
                                                 "storage.googleapis.com",
                                                 "surge.sh",
                                                 "trycloudflare.com",
                                                 "uk.com",
                                                 "us.com",
                                                 "vercel.app",
                                                 "web.app",
                                                 "windows.net",
                                                 "workers.dev"};

constexpr std::string_view kMetadataNames[] = {
    "metadata",      "metadata.google.internal",   "metadata.azure.com",      "metadata.azure.internal",
    "instance-data", "instance-data.ec2.internal", "metadata.tencentyun.com", "metadata.packet.net"};

constexpr std::string_view kMetadataBlocks[] = {"169.254.0.0/16", "100.100.100.200", "192.0.0.192",
                                                "fe80::/10",      "fd00:ec2::254",   "fd20:ce::254",
                                                "168.63.129.16",  "0.0.0.0",         "::"};

template <typename List>
bool Contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

}  // namespace

std::optional<AddressBlock> AddressBlock::Parse(std::string_view text) {
  AddressBlock block;
  const std::size_t slash = text.find('/');
  std::string_view address = text.substr(0, slash);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  }
  if (address.size() > 45 || address.find('\0') != address.npos) return std::nullopt;
  const std::string terminated(address);
  block.is_v6_ = address.find(':') != std::string_view::npos;
  if (inet_pton(block.is_v6_ ? AF_INET6 : AF_INET, terminated.c_str(), block.bytes_.data()) != 1) return std::nullopt;
  const std::uint8_t bits = block.is_v6_ ? 128 : 32;
  block.length_ = bits;
  if (slash != std::string_view::npos) {
    const std::string_view length = text.substr(slash + 1);
    const char* begin = length.data();
    const char* end = begin + length.size();
    const auto parsed = std::from_chars(begin, end, block.length_);
    if (length.empty() || parsed.ec != std::errc() || parsed.ptr != end || block.length_ > bits) return std::nullopt;
    if (length.size() > 1 && length.front() == '0') return std::nullopt;
  }
  for (std::size_t bit = block.length_; bit < bits; ++bit) {
    if (block.bytes_[bit / 8] >> (7 - bit % 8) & 1) return std::nullopt;
  }
  return block;
}

bool AddressBlock::Holds(const AddressBlock& other) const {
  if (is_v6_ != other.is_v6_ || length_ > other.length_) return false;
  for (std::size_t bit = 0; bit < length_; ++bit) {
    if (((bytes_[bit / 8] ^ other.bytes_[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

bool IsPublicSuffix(std::string_view name) {
  const std::size_t last_dot = name.rfind('.');
  if (last_dot == std::string_view::npos) return true;
  if (Contains(kHostingSuffixes, name)) return true;
  const bool two_labels = name.find('.') == last_dot;
  return two_labels && name.size() - last_dot - 1 == 2 && Contains(kCountrySeconds, name.substr(0, last_dot));
}

bool ReachesMetadata(std::string_view host) {
  if (Contains(kMetadataNames, host)) return true;
  const auto block = AddressBlock::Parse(host);
  if (!block) return false;
  for (std::string_view text : kMetadataBlocks) {
    const auto metadata = AddressBlock::Parse(text);
    if (block->Holds(*metadata) || metadata->Holds(*block)) return true;
  }
  return false;
}

}  // namespace cordon::policy
