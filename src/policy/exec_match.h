// The arguments of programs: which values a form takes, what two forms have in common, and which programs need every
// argument spelled out. Pure. A pattern is matched in time linear in the value, in bounded memory (RE2).
#pragma once

#include <optional>
#include <string_view>

#include "policy/capability.h"

namespace cordon::policy {

// E_SYNTAX for what RE2 does not read, E_LIMIT for a pattern that takes too much memory.
Status CheckPattern(std::string_view pattern);

// Absolute, of segments of any characters, none of which is empty, `.` or `..`.
bool IsPlainPath(std::string_view path);
// Whether a plain path is `mount` or below it.
bool IsBeneath(std::string_view mount, std::string_view path);

// Whether a program could take the value for an option, a file of options or a command: it begins with -, @ or +. No
// pattern and no path takes such a value, whatever it says: where one is wanted, the grant spells it out.
bool LooksLikeOption(std::string_view value);

bool Takes(const ExecArgument& form, std::string_view value);

// What both take, never wider than either; nothing when that is not known. Commutative.
std::optional<ExecArgument> CommonArgument(const ExecArgument& a, const ExecArgument& b);
std::optional<ExecScope> CommonExec(const ExecScope& a, const ExecScope& b);

// Whether any argument is left to the plugin: a level of literals alone forbids it.
bool HasPattern(const ExecScope& scope);

// E_GRANT_TOO_WIDE for a program that runs other programs or code (sh, env, find, git, …) when the scope does not spell
// out what it runs. `file_name`: of the program, which may be another than the scope's own (mawk behind awk).
Status CheckLauncher(const ExecScope& scope, std::string_view file_name);

}  // namespace cordon::policy
