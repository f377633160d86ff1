// Hosts and plugins.
#include "capi/handles.h"

namespace cordon::capi {
namespace {

class CallbackSink final : public AuditSink {
 public:
  CallbackSink(cordon_audit_callback write, std::shared_ptr<void> user) : write_(write), user_(std::move(user)) {}
  Status Write(const AuditRecord& record) override {
    const std::string json = JsonOf(record);
    if (write_(user_.get(), TextOf(json)) == 0) return {};
    return Fail(Code::kAuditUnavailable, "the audit callback says that the record is lost");
  }

 private:
  cordon_audit_callback write_;
  std::shared_ptr<void> user_;
};

LogSink LogTo(cordon_log_callback write, std::shared_ptr<void> user) {
  return [write, user = std::move(user)](const LogLine& line) {
    const cordon_log_line out = {.size = sizeof out,
                                 .call_id = line.call_id,
                                 .dropped_lines = line.dropped_lines,
                                 .plugin = TextOf(line.plugin),
                                 .source = TextOf(line.source),
                                 .message = TextOf(line.message),
                                 .level = static_cast<std::int32_t>(line.level)};
    write(user.get(), &out);
  };
}

Status CheckList(const void* list, std::size_t count, std::string_view what) {
  if (list == nullptr && count > 0) return Needs(what);
  return {};
}

Status ReadLimitsOf(const cordon_host_options& in, HostOptions& out) {
  if (in.code_cache_bytes_max != 0) out.code_cache_bytes_max = in.code_cache_bytes_max;
  if (in.compile_timeout_ns != 0) out.compile_timeout = std::chrono::nanoseconds(in.compile_timeout_ns);
  if (in.compile_memory_bytes != 0) out.compile_memory_bytes = in.compile_memory_bytes;
  if (in.max_instances != 0) out.max_instances = in.max_instances;
  if (in.threads != 0) out.threads = in.threads;
  if (in.queue_max != 0) out.queue_max = in.queue_max;
  CORDON_TRY(ReadEnum(in.compiler, 2, "compiler", out.compiler));
  CORDON_TRY(ReadEnum(in.address_space, 2, "address_space", out.address_space));
  return ReadEnum(in.traps, 2, "traps", out.traps);
}

Result<HostOptions> ReadHostOptions(const cordon_host_options* options) {
  cordon_host_options in;
  const Status read = ReadOptions(options, offsetof(cordon_host_options, queue_max) + sizeof in.queue_max, in);
  // The callbacks' own come first, so that they end whatever else is wrong.
  const auto audit_user = Owned(in.audit_user, in.audit_destroy);
  const auto log_user = Owned(in.log_user, in.log_destroy);
  CORDON_TRY(read);
  HostOptions out;
  out.config_file = ViewOf(in.config_file);
  out.grants_file = ViewOf(in.grants_file);
  out.code_cache = ViewOf(in.code_cache);
  out.state_folder = ViewOf(in.state_folder);
  if (in.compiler_path.len > 0) out.compiler_path = ViewOf(in.compiler_path);
  CORDON_TRY(CheckList(in.forbidden_roots, in.forbidden_roots_count, "forbidden_roots"));
  for (std::size_t i = 0; i < in.forbidden_roots_count; ++i) {
    out.forbidden_roots.emplace_back(ViewOf(in.forbidden_roots[i]));
  }
  CORDON_TRY(ReadLimitsOf(in, out));
  if (in.audit != nullptr && in.audit_folder.len > 0) {
    return Fail(Code::kUsage, "audit and audit_folder are both given", "choose one");
  }
  if (in.audit != nullptr) out.audit = std::make_shared<CallbackSink>(in.audit, audit_user);
  if (in.audit_folder.len > 0) {
    CORDON_ASSIGN(out.audit, OpenAuditLog(ViewOf(in.audit_folder)));
  }
  if (in.log != nullptr) out.log = LogTo(in.log, log_user);
  return out;
}

Status ReadFolders(const cordon_load_options& in, LoadOptions& out) {
  CORDON_TRY(CheckList(in.roots, in.roots_count, "roots"));
  for (std::size_t i = 0; i < in.roots_count; ++i) {
    out.roots[StringOf(in.roots[i].name)] = ViewOf(in.roots[i].value);
  }
  CORDON_TRY(CheckList(in.programs, in.programs_count, "programs"));
  for (std::size_t i = 0; i < in.programs_count; ++i) {
    out.programs[StringOf(in.programs[i].name)] = ViewOf(in.programs[i].value);
  }
  CORDON_TRY(CheckList(in.mounts, in.mounts_count, "mounts"));
  for (std::size_t i = 0; i < in.mounts_count; ++i) {
    Mount mount{ViewOf(in.mounts[i].host_path), StringOf(in.mounts[i].guest_path), Access::kRead};
    CORDON_TRY(ReadEnum(in.mounts[i].access, 2, "access", mount.access));
    out.mounts.push_back(std::move(mount));
  }
  return {};
}

Result<LoadOptions> ReadLoadOptions(const cordon_load_options* options) {
  cordon_load_options in;
  CORDON_TRY(ReadOptions(options, offsetof(cordon_load_options, progress_user) + sizeof in.progress_user, in));
  LoadOptions out;
  CORDON_TRY(CheckList(in.grants, in.grants_count, "grants"));
  for (std::size_t i = 0; i < in.grants_count; ++i) out.grants.push_back(StringOf(in.grants[i]));
  CORDON_TRY(ReadFolders(in, out));
  CORDON_TRY(CheckList(in.environment, in.environment_count, "environment"));
  for (std::size_t i = 0; i < in.environment_count; ++i) {
    out.environment.emplace_back(StringOf(in.environment[i].name), StringOf(in.environment[i].value));
  }
  CORDON_TRY(CheckList(in.arguments, in.arguments_count, "arguments"));
  for (std::size_t i = 0; i < in.arguments_count; ++i) out.arguments.push_back(StringOf(in.arguments[i]));
  out.settings = StringOf(in.settings);
  if (in.timeout_ns != 0) out.timeout = std::chrono::nanoseconds(in.timeout_ns);
  if (in.memory_bytes != 0) out.memory_bytes = in.memory_bytes;
  if (in.fuel != 0) out.fuel = in.fuel;
  if (in.cancel != nullptr) out.cancel = in.cancel->token;
  if (in.progress != nullptr) {
    out.progress = [progress = in.progress, user = in.progress_user](std::string_view stage) {
      progress(user, TextOf(stage));
    };
  }
  return out;
}

template <typename Load>
cordon_code LoadWith(cordon_host* host, const cordon_load_options* options, cordon_plugin** plugin,
                     cordon_failure** failure, Load load) {
  if (plugin != nullptr) *plugin = nullptr;
  return Enter(failure, [&]() -> Status {
    if (host == nullptr) return Needs("the host");
    if (plugin == nullptr) return Needs("the place for the plugin");
    CORDON_ASSIGN(const LoadOptions load_options, ReadLoadOptions(options));
    CORDON_ASSIGN(Plugin loaded, load(load_options));
    *plugin = new cordon_plugin{.plugin = std::move(loaded)};
    return {};
  });
}

template <typename Make>
cordon_code TextFor(const cordon_plugin* plugin, std::string cordon_plugin::* text, cordon_text* json,
                    cordon_failure** failure, Make make) {
  if (json != nullptr) *json = {};
  return Enter(failure, [&]() -> Status {
    if (plugin == nullptr) return Needs("the plugin");
    if (json == nullptr) return Needs("the place for the text");
    auto* made = const_cast<cordon_plugin*>(plugin);
    const std::lock_guard lock(made->mutex);
    if ((made->*text).empty()) made->*text = make(plugin->plugin);
    *json = TextOf(made->*text);
    return {};
  });
}

}  // namespace
}  // namespace cordon::capi

namespace capi = cordon::capi;
using cordon::Status;

extern "C" {

cordon_code cordon_host_new(const cordon_host_options* options, cordon_host** host, cordon_failure** failure) {
  if (host != nullptr) *host = nullptr;
  return capi::Enter(failure, [&]() -> Status {
    CORDON_ASSIGN(cordon::HostOptions host_options, capi::ReadHostOptions(options));
    if (host == nullptr) return capi::Needs("the place for the host");
    CORDON_ASSIGN(cordon::Host made, cordon::Host::Create(std::move(host_options)));
    *host = new cordon_host{std::move(made)};
    return {};
  });
}

cordon_code cordon_host_shutdown(cordon_host* host, cordon_failure** failure) {
  return capi::Enter(failure, [&]() -> Status {
    if (host == nullptr) return capi::Needs("the host");
    return host->host.Shutdown();
  });
}

void cordon_host_free(cordon_host* host) { delete host; }

cordon_code cordon_plugin_load(cordon_host* host, cordon_text source, const cordon_load_options* options,
                               cordon_plugin** plugin, cordon_failure** failure) {
  return capi::LoadWith(host, options, plugin, failure, [&](const cordon::LoadOptions& load) {
    return source.len == 0 ? capi::Needs("the source") : host->host.Load(capi::ViewOf(source), load);
  });
}

cordon_code cordon_plugin_load_bytes(cordon_host* host, cordon_text name, cordon_bytes wasm,
                                     const cordon_load_options* options, cordon_plugin** plugin,
                                     cordon_failure** failure) {
  return capi::LoadWith(host, options, plugin, failure, [&](const cordon::LoadOptions& load) {
    return host->host.LoadBytes(capi::ViewOf(name), capi::ViewOf(wasm), load);
  });
}

cordon_code cordon_plugin_inspect(cordon_host* host, cordon_text source, const cordon_load_options* options,
                                  cordon_plugin** plugin, cordon_failure** failure) {
  return capi::LoadWith(host, options, plugin, failure, [&](const cordon::LoadOptions& load) {
    return source.len == 0 ? capi::Needs("the source") : host->host.Inspect(capi::ViewOf(source), load);
  });
}

cordon_text cordon_plugin_name(const cordon_plugin* plugin) {
  return plugin == nullptr ? cordon_text{} : capi::TextOf(plugin->plugin.name());
}

cordon_text cordon_plugin_digest(const cordon_plugin* plugin) {
  return plugin == nullptr ? cordon_text{} : capi::TextOf(plugin->plugin.digest());
}

cordon_code cordon_plugin_actions_json(const cordon_plugin* plugin, cordon_text* json, cordon_failure** failure) {
  return capi::TextFor(plugin, &cordon_plugin::actions, json, failure,
                       [](const cordon::Plugin& from) { return capi::JsonOf(from.Actions()); });
}

cordon_code cordon_plugin_authority_json(const cordon_plugin* plugin, cordon_text* json, cordon_failure** failure) {
  return capi::TextFor(plugin, &cordon_plugin::authority, json, failure,
                       [](const cordon::Plugin& from) { return capi::JsonOf(from.authority()); });
}

cordon_code cordon_plugin_limits(const cordon_plugin* plugin, cordon_limits* limits, cordon_failure** failure) {
  return capi::Enter(failure, [&]() -> Status {
    if (plugin == nullptr) return capi::Needs("the plugin");
    const cordon::Limits from = plugin->plugin.limits();
    const cordon_limits out = {
        .size = 0,
        .timeout_ns = static_cast<std::uint64_t>(from.timeout.count()),
        .cpu_ns = from.cpu ? static_cast<std::uint64_t>(from.cpu->count()) : 0,
        .fuel = from.fuel.value_or(0),
        .memory_bytes = from.memory_bytes,
        .input_bytes = from.input_bytes,
        .output_bytes = from.output_bytes,
        .stdout_bytes = from.stdout_bytes,
    };
    return capi::WriteOut(out, offsetof(cordon_limits, stdout_bytes) + sizeof out.stdout_bytes, limits);
  });
}

cordon_code cordon_plugin_revoke(const cordon_plugin* plugin, cordon_text capability, cordon_failure** failure) {
  return capi::Enter(failure, [&]() -> Status {
    if (plugin == nullptr) return capi::Needs("the plugin");
    return plugin->plugin.Revoke(capi::ViewOf(capability));
  });
}

void cordon_plugin_unload(const cordon_plugin* plugin) {
  if (plugin != nullptr) plugin->plugin.Unload();
}

void cordon_plugin_free(cordon_plugin* plugin) { delete plugin; }

}  // extern "C"
