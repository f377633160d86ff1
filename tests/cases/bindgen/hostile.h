// C++ for the WIT world std:cordon/delete@0.1.0, written by `cordon bindgen` 0.1.0. Do not edit: change the WIT and
// write it again.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cordon/plugin.h"
#include "cordon/service.h"
#include "cordon/value.h"

namespace std_::cordon_::detail {

// Also
// like \ .
struct Class {
  std::int32_t int_{};
  std::string std_{};
  std::string cordon_{};
  std::int32_t errno_{};
  bool unix_{};
  std::uint8_t NULL_{};
  std::uint8_t EOF_{};
  std::uint8_t x_Y{};
  std::vector<std::string> operator_{};
  std::uint8_t value{};
  std::uint8_t out{};
  std::uint8_t first{};
  std::uint8_t in{};

  bool operator==(const Class&) const = default;
};

struct NULL_ {
  std::uint8_t e_o_f{};

  bool operator==(const NULL_&) const = default;
};

// Two names of one spelling in C++.
struct A1B_ {
  std::uint8_t x{};

  bool operator==(const A1B_&) const = default;
};

struct A1b {
  std::uint8_t x{};

  bool operator==(const A1b&) const = default;
};

struct A1b_ {
  std::uint8_t x{};

  bool operator==(const A1b_&) const = default;
};

enum class Namespace : std::uint8_t { private_, public_, auto_, short_, import_, module_, final, override };

enum class Template : std::uint32_t { this_ = 1u << 0, virtual_ = 1u << 1, none = 1u << 2, all = 1u << 3 };
constexpr Template operator|(Template a, Template b) {
  return static_cast<Template>(std::to_underlying(a) | std::to_underlying(b));
}
constexpr Template operator&(Template a, Template b) {
  return static_cast<Template>(std::to_underlying(a) & std::to_underlying(b));
}
constexpr Template& operator|=(Template& a, Template b) { return a = a | b; }
// Whether all of `flags` are in `set`.
constexpr bool Has(Template set, Template flags) { return (set & flags) == flags; }

struct Has_ {
  bool has{};

  bool operator==(const Has_&) const = default;
};

struct Detail {
  struct Detail_ {
    Has_ value;

    bool operator==(const Detail_&) const = default;
  };
  struct Has {
    Class value;

    bool operator==(const Has&) const = default;
  };
  struct Value {
    std::string value;

    bool operator==(const Value&) const = default;
  };
  struct String {
    std::vector<std::uint8_t> value;

    bool operator==(const String&) const = default;
  };
  struct None {
    bool operator==(const None&) const = default;
  };
  struct Some {
    Template value;

    bool operator==(const Some&) const = default;
  };
  std::variant<Detail_, Has, Value, String, None, Some> value{};

  bool operator==(const Detail&) const = default;
};

using Using = std::vector<Class>;

}  // namespace std_::cordon_::detail

namespace std_::cordon_::cordon_ {

using Class = std_::cordon_::detail::Class;

using HasNot = std_::cordon_::detail::Has_;

using Template = std_::cordon_::detail::Template;

struct Cordon {
  Class cordon_{};
  Template std_{};

  bool operator==(const Cordon&) const = default;
};

}  // namespace std_::cordon_::cordon_

namespace std_::cordon_::delete_ {

using Class = std_::cordon_::detail::Class;

}  // namespace std_::cordon_::delete_

CORDON_RECORD(std_::cordon_::detail::Class, int_, std_, cordon_, errno_, unix_, NULL_, EOF_, x_Y, operator_, value, out,
              first, in);
CORDON_RECORD(std_::cordon_::detail::NULL_, e_o_f);
CORDON_RECORD(std_::cordon_::detail::A1B_, x);
CORDON_RECORD(std_::cordon_::detail::A1b, x);
CORDON_RECORD(std_::cordon_::detail::A1b_, x);
CORDON_ENUM(std_::cordon_::detail::Namespace, private_, public_, auto_, short_, import_, module_, final, override);
CORDON_FLAGS(std_::cordon_::detail::Template, this_, virtual_, none, all);
CORDON_RECORD(std_::cordon_::detail::Has_, has);
CORDON_VARIANT(std_::cordon_::detail::Detail, detail, has, value, string, none, some);
CORDON_RECORD(std_::cordon_::cordon_::Cordon, cordon_, std_);

namespace std_::cordon_::delete_ {

// Calls the functions of the world itself in a plugin. Immutable and thread-safe; copies are cheap.
class Delete {
 public:
  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.
  static cordon::Result<Delete> Bind(const cordon::Plugin& plugin) {
    Delete bound;
    CORDON_TRY(Find(plugin, "operator", bound.operator_));
    return bound;
  }

  // In a fresh instance, in one that the caller keeps, or on the Host's threads.
  cordon::Result<Class> Operator(const Class& friend_) const { return operator_(friend_); }
  cordon::Result<Class> Operator(const cordon::CallOptions& options, const Class& friend_) const {
    return operator_.Call(options, friend_);
  }
  cordon::Result<Class> Operator(cordon::Instance& instance, const Class& friend_) const {
    return operator_.On(instance, friend_);
  }
  cordon::Result<Class> Operator(cordon::Instance& instance, const cordon::CallOptions& options,
                                 const Class& friend_) const {
    return operator_.On(instance, options, friend_);
  }
  cordon::Pending<Class> OperatorAsync(cordon::Executor executor, cordon::CallOptions options,
                                       const Class& friend_) const {
    return operator_.Async(std::move(executor), std::move(options), friend_);
  }

 private:
  Delete() = default;
  template <typename Signature>
  static cordon::Status Find(const cordon::Plugin& plugin, std::string_view name,
                             cordon::TypedFunction<Signature>& out) {
    CORDON_ASSIGN(out, plugin.Function<Signature>(name));
    return {};
  }

  cordon::TypedFunction<Class(Class)> operator_{nullptr};
};

}  // namespace std_::cordon_::delete_

namespace std_::cordon_::detail {

// This comment */ #error out of the comment
// #include "/etc/passwd"
// A line that goes on below \ .
// and its trigraph ??/ .
// or with space after it \ .
// A word that is longer than a line:
// aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa end
// Many words that do not fit into one line of a hundred and twenty columns and are therefore cut where a space is,
// twice or three times if need be.
//
// Calls std:cordon/detail@0.1.0 in a plugin. Immutable and thread-safe; copies are cheap.
class DetailClient {
 public:
  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.
  static cordon::Result<DetailClient> Bind(const cordon::Plugin& plugin) {
    DetailClient bound;
    CORDON_TRY(Find(plugin, "std:cordon/detail@0.1.0#detail-client", bound.detail_client_));
    CORDON_TRY(Find(plugin, "std:cordon/detail@0.1.0#checked", bound.checked_));
    CORDON_TRY(Find(plugin, "std:cordon/detail@0.1.0#has-it", bound.has_it_));
    CORDON_TRY(Find(plugin, "std:cordon/detail@0.1.0#a-1-b", bound.a_1_b_));
    CORDON_TRY(Find(plugin, "std:cordon/detail@0.1.0#a1-b2", bound.a1_b2_));
    CORDON_TRY(Find(plugin, "std:cordon/detail@0.1.0#a1b2", bound.a1b2_));
    CORDON_TRY(Find(plugin, "std:cordon/detail@0.1.0#bind", bound.bind_));
    CORDON_TRY(Find(plugin, "std:cordon/detail@0.1.0#find", bound.find_));
    CORDON_TRY(Find(plugin, "std:cordon/detail@0.1.0#find-async", bound.find_async_));
    CORDON_TRY(Find(plugin, "std:cordon/detail@0.1.0#options", bound.options_));
    CORDON_TRY(Find(plugin, "std:cordon/detail@0.1.0#delete", bound.delete_));
    return bound;
  }

  // In a fresh instance, in one that the caller keeps, or on the Host's threads.
  // A method called like the class.
  cordon::Result<Detail> DetailClient_(const Detail& detail) const { return detail_client_(detail); }
  cordon::Result<Detail> DetailClient_(const cordon::CallOptions& options, const Detail& detail) const {
    return detail_client_.Call(options, detail);
  }
  cordon::Result<Detail> DetailClient_(cordon::Instance& instance, const Detail& detail) const {
    return detail_client_.On(instance, detail);
  }
  cordon::Result<Detail> DetailClient_(cordon::Instance& instance, const cordon::CallOptions& options,
                                       const Detail& detail) const {
    return detail_client_.On(instance, options, detail);
  }
  cordon::Pending<Detail> DetailClient_Async(cordon::Executor executor, cordon::CallOptions options,
                                             const Detail& detail) const {
    return detail_client_.Async(std::move(executor), std::move(options), detail);
  }

  cordon::Result<Has_> Checked(const Detail& detail, std::string_view options_2, std::uint8_t instance_,
                               const Class& executor_, Namespace plugin) const {
    return checked_(detail, options_2, instance_, executor_, plugin);
  }
  cordon::Result<Has_> Checked(const cordon::CallOptions& options, const Detail& detail, std::string_view options_2,
                               std::uint8_t instance_, const Class& executor_, Namespace plugin) const {
    return checked_.Call(options, detail, options_2, instance_, executor_, plugin);
  }
  cordon::Result<Has_> Checked(cordon::Instance& instance, const Detail& detail, std::string_view options_2,
                               std::uint8_t instance_, const Class& executor_, Namespace plugin) const {
    return checked_.On(instance, detail, options_2, instance_, executor_, plugin);
  }
  cordon::Result<Has_> Checked(cordon::Instance& instance, const cordon::CallOptions& options, const Detail& detail,
                               std::string_view options_2, std::uint8_t instance_, const Class& executor_,
                               Namespace plugin) const {
    return checked_.On(instance, options, detail, options_2, instance_, executor_, plugin);
  }
  cordon::Pending<Has_> CheckedAsync(cordon::Executor executor, cordon::CallOptions options, const Detail& detail,
                                     std::string_view options_2, std::uint8_t instance_, const Class& executor_,
                                     Namespace plugin) const {
    return checked_.Async(std::move(executor), std::move(options), detail, options_2, instance_, executor_, plugin);
  }

  cordon::Result<Has_> HasIt(const Has_& has) const { return has_it_(has); }
  cordon::Result<Has_> HasIt(const cordon::CallOptions& options, const Has_& has) const {
    return has_it_.Call(options, has);
  }
  cordon::Result<Has_> HasIt(cordon::Instance& instance, const Has_& has) const { return has_it_.On(instance, has); }
  cordon::Result<Has_> HasIt(cordon::Instance& instance, const cordon::CallOptions& options, const Has_& has) const {
    return has_it_.On(instance, options, has);
  }
  cordon::Pending<Has_> HasItAsync(cordon::Executor executor, cordon::CallOptions options, const Has_& has) const {
    return has_it_.Async(std::move(executor), std::move(options), has);
  }

  cordon::Result<Class> A1B_(const Class& class_, std::uint8_t class_client) const {
    return a_1_b_(class_, class_client);
  }
  cordon::Result<Class> A1B_(const cordon::CallOptions& options, const Class& class_, std::uint8_t class_client) const {
    return a_1_b_.Call(options, class_, class_client);
  }
  cordon::Result<Class> A1B_(cordon::Instance& instance, const Class& class_, std::uint8_t class_client) const {
    return a_1_b_.On(instance, class_, class_client);
  }
  cordon::Result<Class> A1B_(cordon::Instance& instance, const cordon::CallOptions& options, const Class& class_,
                             std::uint8_t class_client) const {
    return a_1_b_.On(instance, options, class_, class_client);
  }
  cordon::Pending<Class> A1B_Async(cordon::Executor executor, cordon::CallOptions options, const Class& class_,
                                   std::uint8_t class_client) const {
    return a_1_b_.Async(std::move(executor), std::move(options), class_, class_client);
  }

  cordon::Result<void> A1B2_() const { return a1_b2_(); }
  cordon::Result<void> A1B2_(const cordon::CallOptions& options) const { return a1_b2_.Call(options); }
  cordon::Result<void> A1B2_(cordon::Instance& instance) const { return a1_b2_.On(instance); }
  cordon::Result<void> A1B2_(cordon::Instance& instance, const cordon::CallOptions& options) const {
    return a1_b2_.On(instance, options);
  }
  cordon::Pending<void> A1B2_Async(cordon::Executor executor, cordon::CallOptions options) const {
    return a1_b2_.Async(std::move(executor), std::move(options));
  }

  cordon::Result<void> A1b2() const { return a1b2_(); }
  cordon::Result<void> A1b2(const cordon::CallOptions& options) const { return a1b2_.Call(options); }
  cordon::Result<void> A1b2(cordon::Instance& instance) const { return a1b2_.On(instance); }
  cordon::Result<void> A1b2(cordon::Instance& instance, const cordon::CallOptions& options) const {
    return a1b2_.On(instance, options);
  }
  cordon::Pending<void> A1b2Async(cordon::Executor executor, cordon::CallOptions options) const {
    return a1b2_.Async(std::move(executor), std::move(options));
  }

  cordon::Result<void> Bind_(std::uint8_t bind) const { return bind_(bind); }
  cordon::Result<void> Bind_(const cordon::CallOptions& options, std::uint8_t bind) const {
    return bind_.Call(options, bind);
  }
  cordon::Result<void> Bind_(cordon::Instance& instance, std::uint8_t bind) const { return bind_.On(instance, bind); }
  cordon::Result<void> Bind_(cordon::Instance& instance, const cordon::CallOptions& options, std::uint8_t bind) const {
    return bind_.On(instance, options, bind);
  }
  cordon::Pending<void> Bind_Async(cordon::Executor executor, cordon::CallOptions options, std::uint8_t bind) const {
    return bind_.Async(std::move(executor), std::move(options), bind);
  }

  cordon::Result<void> Find_(std::uint8_t find) const { return find_(find); }
  cordon::Result<void> Find_(const cordon::CallOptions& options, std::uint8_t find) const {
    return find_.Call(options, find);
  }
  cordon::Result<void> Find_(cordon::Instance& instance, std::uint8_t find) const { return find_.On(instance, find); }
  cordon::Result<void> Find_(cordon::Instance& instance, const cordon::CallOptions& options, std::uint8_t find) const {
    return find_.On(instance, options, find);
  }
  cordon::Pending<void> Find_Async(cordon::Executor executor, cordon::CallOptions options, std::uint8_t find) const {
    return find_.Async(std::move(executor), std::move(options), find);
  }

  cordon::Result<void> FindAsync(std::uint8_t class_) const { return find_async_(class_); }
  cordon::Result<void> FindAsync(const cordon::CallOptions& options, std::uint8_t class_) const {
    return find_async_.Call(options, class_);
  }
  cordon::Result<void> FindAsync(cordon::Instance& instance, std::uint8_t class_) const {
    return find_async_.On(instance, class_);
  }
  cordon::Result<void> FindAsync(cordon::Instance& instance, const cordon::CallOptions& options,
                                 std::uint8_t class_) const {
    return find_async_.On(instance, options, class_);
  }
  cordon::Pending<void> FindAsyncAsync(cordon::Executor executor, cordon::CallOptions options,
                                       std::uint8_t class_) const {
    return find_async_.Async(std::move(executor), std::move(options), class_);
  }

  cordon::Result<void> Options(std::uint8_t options_2) const { return options_(options_2); }
  cordon::Result<void> Options(const cordon::CallOptions& options, std::uint8_t options_2) const {
    return options_.Call(options, options_2);
  }
  cordon::Result<void> Options(cordon::Instance& instance, std::uint8_t options_2) const {
    return options_.On(instance, options_2);
  }
  cordon::Result<void> Options(cordon::Instance& instance, const cordon::CallOptions& options,
                               std::uint8_t options_2) const {
    return options_.On(instance, options, options_2);
  }
  cordon::Pending<void> OptionsAsync(cordon::Executor executor, cordon::CallOptions options,
                                     std::uint8_t options_2) const {
    return options_.Async(std::move(executor), std::move(options), options_2);
  }

  cordon::Result<Using> Delete(std::span<const Class> default_) const { return delete_(default_); }
  cordon::Result<Using> Delete(const cordon::CallOptions& options, std::span<const Class> default_) const {
    return delete_.Call(options, default_);
  }
  cordon::Result<Using> Delete(cordon::Instance& instance, std::span<const Class> default_) const {
    return delete_.On(instance, default_);
  }
  cordon::Result<Using> Delete(cordon::Instance& instance, const cordon::CallOptions& options,
                               std::span<const Class> default_) const {
    return delete_.On(instance, options, default_);
  }
  cordon::Pending<Using> DeleteAsync(cordon::Executor executor, cordon::CallOptions options,
                                     std::span<const Class> default_) const {
    return delete_.Async(std::move(executor), std::move(options), default_);
  }

 private:
  DetailClient() = default;
  template <typename Signature>
  static cordon::Status Find(const cordon::Plugin& plugin, std::string_view name,
                             cordon::TypedFunction<Signature>& out) {
    CORDON_ASSIGN(out, plugin.Function<Signature>(name));
    return {};
  }

  cordon::TypedFunction<Detail(Detail)> detail_client_{nullptr};
  cordon::TypedFunction<Has_(Detail, std::string_view, std::uint8_t, Class, Namespace)> checked_{nullptr};
  cordon::TypedFunction<Has_(Has_)> has_it_{nullptr};
  cordon::TypedFunction<Class(Class, std::uint8_t)> a_1_b_{nullptr};
  cordon::TypedFunction<void()> a1_b2_{nullptr};
  cordon::TypedFunction<void()> a1b2_{nullptr};
  cordon::TypedFunction<void(std::uint8_t)> bind_{nullptr};
  cordon::TypedFunction<void(std::uint8_t)> find_{nullptr};
  cordon::TypedFunction<void(std::uint8_t)> find_async_{nullptr};
  cordon::TypedFunction<void(std::uint8_t)> options_{nullptr};
  cordon::TypedFunction<Using(std::span<const Class>)> delete_{nullptr};
};

}  // namespace std_::cordon_::detail

namespace std_::cordon_::cordon_ {

// Calls std:cordon/cordon@0.1.0 in a plugin. Immutable and thread-safe; copies are cheap.
class CordonClient {
 public:
  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.
  static cordon::Result<CordonClient> Bind(const cordon::Plugin& plugin) {
    CordonClient bound;
    CORDON_TRY(Find(plugin, "std:cordon/cordon@0.1.0#get", bound.get_));
    CORDON_TRY(Find(plugin, "std:cordon/cordon@0.1.0#cordon-host", bound.cordon_host_));
    return bound;
  }

  // In a fresh instance, in one that the caller keeps, or on the Host's threads.
  cordon::Result<Cordon> Get(const Cordon& call, std::string_view object, const HasNot& needs) const {
    return get_(call, object, needs);
  }
  cordon::Result<Cordon> Get(const cordon::CallOptions& options, const Cordon& call, std::string_view object,
                             const HasNot& needs) const {
    return get_.Call(options, call, object, needs);
  }
  cordon::Result<Cordon> Get(cordon::Instance& instance, const Cordon& call, std::string_view object,
                             const HasNot& needs) const {
    return get_.On(instance, call, object, needs);
  }
  cordon::Result<Cordon> Get(cordon::Instance& instance, const cordon::CallOptions& options, const Cordon& call,
                             std::string_view object, const HasNot& needs) const {
    return get_.On(instance, options, call, object, needs);
  }
  cordon::Pending<Cordon> GetAsync(cordon::Executor executor, cordon::CallOptions options, const Cordon& call,
                                   std::string_view object, const HasNot& needs) const {
    return get_.Async(std::move(executor), std::move(options), call, object, needs);
  }

  cordon::Result<Class> CordonHost() const { return cordon_host_(); }
  cordon::Result<Class> CordonHost(const cordon::CallOptions& options) const { return cordon_host_.Call(options); }
  cordon::Result<Class> CordonHost(cordon::Instance& instance) const { return cordon_host_.On(instance); }
  cordon::Result<Class> CordonHost(cordon::Instance& instance, const cordon::CallOptions& options) const {
    return cordon_host_.On(instance, options);
  }
  cordon::Pending<Class> CordonHostAsync(cordon::Executor executor, cordon::CallOptions options) const {
    return cordon_host_.Async(std::move(executor), std::move(options));
  }

 private:
  CordonClient() = default;
  template <typename Signature>
  static cordon::Status Find(const cordon::Plugin& plugin, std::string_view name,
                             cordon::TypedFunction<Signature>& out) {
    CORDON_ASSIGN(out, plugin.Function<Signature>(name));
    return {};
  }

  cordon::TypedFunction<Cordon(Cordon, std::string_view, HasNot)> get_{nullptr};
  cordon::TypedFunction<Class()> cordon_host_{nullptr};
};

}  // namespace std_::cordon_::cordon_

namespace std_::cordon_::detail {

// This comment */ #error out of the comment
// #include "/etc/passwd"
// A line that goes on below \ .
// and its trigraph ??/ .
// or with space after it \ .
// A word that is longer than a line:
// aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa end
// Many words that do not fit into one line of a hundred and twenty columns and are therefore cut where a space is,
// twice or three times if need be.
//
// Answers std:cordon/detail@0.1.0. Functions run at the same time on many threads: what they share must lock itself. An
// error ends the guest's call; what WIT calls an error is a value of the result.
class DetailHost {
 public:
  virtual ~DetailHost() = default;

  // A method called like the class.
  virtual cordon::Result<Detail> DetailClient(const cordon::ServiceCall& call, Detail detail) = 0;

  virtual cordon::Result<Has_> Checked(const cordon::ServiceCall& call, Detail detail, std::string options,
                                       std::uint8_t instance, Class executor, Namespace plugin) = 0;

  virtual cordon::Result<Has_> HasIt(const cordon::ServiceCall& call, Has_ has) = 0;

  virtual cordon::Result<Class> A1B_(const cordon::ServiceCall& call, Class class_, std::uint8_t class_client) = 0;

  virtual cordon::Result<void> A1B2_(const cordon::ServiceCall& call) = 0;

  virtual cordon::Result<void> A1b2(const cordon::ServiceCall& call) = 0;

  virtual cordon::Result<void> Bind(const cordon::ServiceCall& call, std::uint8_t bind) = 0;

  virtual cordon::Result<void> Find(const cordon::ServiceCall& call, std::uint8_t find) = 0;

  virtual cordon::Result<void> FindAsync_(const cordon::ServiceCall& call, std::uint8_t class_) = 0;

  virtual cordon::Result<void> Options(const cordon::ServiceCall& call, std::uint8_t options) = 0;

  virtual cordon::Result<Using> Delete(const cordon::ServiceCall& call, Using default_) = 0;
};

// For Host::Register. A plugin gets the functions when it was granted host:NAME, where NAME is that of `needs`.
inline cordon::Service MakeDetailHostService(std::shared_ptr<DetailHost> object, const cordon::Needs& needs,
                                             cordon::Runs runs = cordon::Runs::kAside) {
  cordon::Service service("std:cordon/detail@0.1.0");
  service.Function("detail-client", needs, object, &DetailHost::DetailClient, runs);
  service.Function("checked", needs, object, &DetailHost::Checked, runs);
  service.Function("has-it", needs, object, &DetailHost::HasIt, runs);
  service.Function("a-1-b", needs, object, &DetailHost::A1B_, runs);
  service.Function("a1-b2", needs, object, &DetailHost::A1B2_, runs);
  service.Function("a1b2", needs, object, &DetailHost::A1b2, runs);
  service.Function("bind", needs, object, &DetailHost::Bind, runs);
  service.Function("find", needs, object, &DetailHost::Find, runs);
  service.Function("find-async", needs, object, &DetailHost::FindAsync_, runs);
  service.Function("options", needs, object, &DetailHost::Options, runs);
  service.Function("delete", needs, object, &DetailHost::Delete, runs);
  return service;
}

}  // namespace std_::cordon_::detail

namespace std_::cordon_::cordon_ {

// Answers std:cordon/cordon@0.1.0. Functions run at the same time on many threads: what they share must lock itself. An
// error ends the guest's call; what WIT calls an error is a value of the result.
class CordonHost {
 public:
  virtual ~CordonHost() = default;

  virtual cordon::Result<Cordon> Get(const cordon::ServiceCall& call, Cordon call_, std::string object,
                                     HasNot needs) = 0;

  virtual cordon::Result<Class> CordonHost_(const cordon::ServiceCall& call) = 0;
};

// For Host::Register. A plugin gets the functions when it was granted host:NAME, where NAME is that of `needs`.
inline cordon::Service MakeCordonHostService(std::shared_ptr<CordonHost> object, const cordon::Needs& needs,
                                             cordon::Runs runs = cordon::Runs::kAside) {
  cordon::Service service("std:cordon/cordon@0.1.0");
  service.Function("get", needs, object, &CordonHost::Get, runs);
  service.Function("cordon-host", needs, object, &CordonHost::CordonHost_, runs);
  return service;
}

}  // namespace std_::cordon_::cordon_

namespace std_::cordon_::delete_ {

// Answers the functions of the world itself. Functions run at the same time on many threads: what they share must lock
// itself. An error ends the guest's call; what WIT calls an error is a value of the result.
class DeleteHost {
 public:
  virtual ~DeleteHost() = default;

  virtual cordon::Result<void> Void(const cordon::ServiceCall& call) = 0;
};

// For Host::Register. A plugin gets the functions when it was granted host:NAME, where NAME is that of `needs`.
inline cordon::Service MakeDeleteHostService(std::shared_ptr<DeleteHost> object, const cordon::Needs& needs,
                                             cordon::Runs runs = cordon::Runs::kAside) {
  cordon::Service service("");
  service.Function("void", needs, object, &DeleteHost::Void, runs);
  return service;
}

}  // namespace std_::cordon_::delete_
