#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "cli/command.h"
#include "cli/grant_records.h"
#include "cli/plugin_name.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;

constexpr Positional kRevokeWords[] = {
    {"PLUGIN", "the name of a plugin, or where it is", Positional::Count::kOne, Offer::kFile},
    {"CAP", "capabilities; without one, everything", Positional::Count::kAny},
};

Result<policy::GrantSet> Taken(const policy::GrantBook& book, const std::string& name,
                               const std::vector<std::string>& texts) {
  const auto found = std::ranges::find(book.sets(), name, &policy::GrantSet::plugin);
  if (found == book.sets().end()) {
    return Fail(Code::kNotFound, "nothing is granted to " + Escape(name), "see what is granted: cordon plugin grants");
  }
  policy::GrantSet taken = *found;
  if (texts.empty()) return taken;
  taken.granted.clear();
  for (const std::string& text : texts) {
    CORDON_ASSIGN(policy::Capability capability, policy::Capability::Parse(text));
    if (!Holds(found->granted, capability)) {
      return Fail(Code::kNotFound, capability.ToString() + " is not among the grants of " + name,
                  "see them: cordon plugin grants " + name);
    }
    for (const policy::Grant& grant : found->granted) {
      if (grant.capability == capability) taken.granted.push_back(grant);
    }
  }
  return taken;
}

Result<int> Revoke(Session& session) {
  session.CatchSignals();
  CORDON_ASSIGN(const std::string name, PluginNameOf(session.arguments().Get("PLUGIN")));
  const std::vector<std::string> texts = session.arguments().All("CAP");
  CORDON_ASSIGN(const fs::path folder, session.StateFolder());
  CORDON_ASSIGN(const auto log, session.OpenAudit());
  policy::GrantSet taken;
  std::unique_lock<std::mutex> lock;
  CORDON_TRY(GrantStore(folder).Update([&](policy::GrantBook& book) -> Status {
    lock = session.CatchSignals().Protect();
    CORDON_ASSIGN(taken, Taken(book, name, texts));
    CORDON_TRY(AuditGrants(*log, audit::Event::kRevoke, taken, taken.granted));
    CORDON_TRY(ForgetUses(folder, name, taken.granted));
    if (texts.empty()) return book.Remove(name);
    policy::GrantSet rest = *std::ranges::find(book.sets(), name, &policy::GrantSet::plugin);
    std::erase_if(rest.granted, [&](const policy::Grant& grant) { return Holds(taken.granted, grant.capability); });
    book.Put(std::move(rest));
    return {};
  }));
  if (session.json()) {
    OrderedJson fields = {{"plugin", Escape(name)}, {"revoked", OrderedJson::array()}};
    for (const policy::Grant& grant : taken.granted) fields["revoked"].push_back(grant.ToString());
    session.PrintDocument(fields);
  } else {
    for (const policy::Grant& grant : taken.granted) session.Note("revoked " + grant.ToString());
    if (taken.granted.empty()) session.Note("revoked everything of " + Escape(name));
  }
  return 0;
}

}  // namespace

Command PluginRevokeCommand() {
  return {{.command = "plugin revoke", .summary = "take grants back", .positionals = kRevokeWords}, Revoke};
}

}  // namespace cordon::cli
