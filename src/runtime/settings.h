// A plugin's own settings: what the operator wrote, held against the plugin's schema.
#pragma once

#include <string>
#include <vector>

#include "manifest/config.h"
#include "manifest/manifest.h"
#include "services/secret_source.h"
#include "services/settings.h"

namespace cordon::runtime {

// Defaults of the schema under config.yaml, under `kept` (an object: what was set by `cordon config`), with the secret
// ones of `secrets`. E_INVALID: they do not fit the schema, or a secret one stands in the clear; E_MISSING: a required
// one is not set. No value of a secret is in any message.
Result<std::vector<services::SettingValue>> SettingsOf(const std::string& plugin, const manifest::Manifest* manifest,
                                                       const manifest::Config& config, const Json& kept,
                                                       services::SecretSource& secrets);

}  // namespace cordon::runtime
