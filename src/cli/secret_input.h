// A secret from a person or a pipe: never from the command line, where other users see it.
#pragma once

#include <string_view>

#include "base/secret_text.h"
#include "cli/session.h"
#include "services/vault/vault.h"

namespace cordon::cli {

// On a terminal it asks, without showing what is typed; else all of standard input, without one line end at its end.
// E_MISSING for nothing, E_LIMIT.
Result<SecretText> ReadSecret(const Session& session, std::string_view name);

// The operator's secrets, with the key of CORDON_SECRETS_KEY where that was set when the program began.
Result<std::shared_ptr<services::Vault>> OpenVault(const Session& session);

// One record of what the operator did with a secret or setting, on the disk when this returns.
Status AuditOperator(audit::AuditLog& log, const std::string& plugin, const std::string& target, std::string note);

}  // namespace cordon::cli
