// wasi:keyvalue for one plugin: store, atomics and batch over a backend.
//
// A bucket's rep is its place among the buckets of the plugin's effective grants, so it needs no state and gives no
// authority: the guard is asked in every function. Handles for compare-and-set are kept, at most kCasMax of a plugin;
// the oldest goes when there are more, and its `swap` is an error.
//
// Errors are the interface's own: access-denied for what is not granted; other("E_LIMIT: …") and so on for the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/kv/backend.h"
#include "services/router.h"

namespace cordon::services {

inline constexpr std::string_view kStoreInterface = "wasi:keyvalue/store";
inline constexpr std::string_view kAtomicsInterface = "wasi:keyvalue/atomics";
inline constexpr std::string_view kBatchInterface = "wasi:keyvalue/batch";

inline constexpr std::size_t kCasMax = 1024;
inline constexpr std::size_t kBatchKeysMax = 1000;
inline constexpr std::size_t kBatchReplyBytesMax = 8 << 20;

// The buckets that a plugin may use at all, in the order of their names, each with the tightest quota that its manifest
// and its grants write, within `ceiling`.
std::vector<KvBucket> BucketsOf(const policy::Authority& authority, const std::string& plugin, const KvQuota& ceiling);

// The three services; they share the handles. `guard` must outlive them.
std::vector<std::unique_ptr<HostService>> MakeKvServices(const Guard& guard, std::shared_ptr<KvBackend> backend,
                                                         std::vector<KvBucket> buckets);

}  // namespace cordon::services
