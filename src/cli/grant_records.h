// What the commands that change or show grants have in common.
#pragma once

#include <string>
#include <vector>

#include "audit/audit_log.h"
#include "cli/terminal.h"
#include "formats/json.h"
#include "policy/grant.h"

namespace cordon::cli {

// Who gives the command, for the record.
std::string Actor();
// This moment, as grants.yaml writes it.
std::string Now();

bool Holds(const std::vector<policy::Grant>& grants, const policy::Capability& capability);

// One record for each grant, on disk when this returns: before anything is granted or revoked.
// Grants that are counted begin anew, or are gone.
Status ForgetUses(const std::filesystem::path& state_folder, const std::string& plugin,
                  const std::vector<policy::Grant>& grants);

Status AuditGrants(audit::AuditLog& log, audit::Event event, const policy::GrantSet& set,
                   const std::vector<policy::Grant>& grants);

// "  program git is /usr/bin/git, sha256:…\n"
std::string ProgramText(const std::string& name, const policy::ProgramPin& pin);
OrderedJson ProgramsJson(const std::map<std::string, policy::ProgramPin>& programs);
OrderedJson GrantSetJson(const policy::GrantSet& set);
std::string GrantSetText(const policy::GrantSet& set, const Terminal& terminal);

}  // namespace cordon::cli
