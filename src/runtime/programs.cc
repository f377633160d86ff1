#include "runtime/programs.h"

#include <fcntl.h>

#include <cerrno>

#include "base/file.h"
#include "policy/exec_match.h"

namespace cordon::runtime {
namespace {

using services::Program;

Result<Program> Open(const std::string& name, const ProgramMap& map) {
  if (const auto named = map.named.find(name); named != map.named.end()) return services::OpenProgram(named->second);
  if (const auto pin = map.pins.find(name); pin != map.pins.end()) return services::OpenPinned(name, pin->second);
  if (!map.session.contains(name)) {
    return Fail(Code::kMissing, "the grant of the program '" + name + "' says of no file that it is meant",
                "grant it again, which writes the file down: cordon plugin grant PLUGIN 'exec:" + name +
                    " …', or add --program " + name + "=PATH");
  }
  CORDON_ASSIGN(const std::filesystem::path path, services::FindProgram(name));
  return services::OpenProgram(path);
}

}  // namespace

Result<services::ExecOptions> OpenPrograms(const policy::Authority& authority, const ProgramMap& map,
                                           std::span<const OpenFolder> folders) {
  services::ExecOptions options;
  for (const policy::Ruling& ruling : authority.rulings()) {
    const policy::ExecScope* scope = ruling.effective ? ruling.effective->exec() : nullptr;
    if (scope == nullptr) continue;
    auto at = options.programs.find(scope->program);
    if (at == options.programs.end()) at = options.programs.emplace(scope->program, Open(scope->program, map)).first;
    const Result<Program>& program = at->second;
    if (program) {
      CORDON_TRY(policy::CheckLauncher(*scope, program->pin.path.filename().string()));
    } else if (ruling.request.need == policy::Need::kRequired) {
      return Fail(program.error());
    }
  }
  // What the programs may run themselves: named beside them, without a grant of their own.
  for (const auto& [name, path] : map.named) {
    if (!options.programs.contains(name)) options.programs.emplace(name, Open(name, map));
  }
  for (const auto& [name, pin] : map.pins) {
    if (!options.programs.contains(name)) options.programs.emplace(name, Open(name, map));
  }
  for (const OpenFolder& folder : folders) {
    // Its own descriptor: a program may run on when the plugin is gone.
    UniqueFd fd(::fcntl(folder.fd.get(), F_DUPFD_CLOEXEC, 3));
    if (!fd) return Fail(Code::kIo, "cannot keep the folder " + folder.guest_path + ": " + ErrnoText(errno));
    options.folders.push_back({folder.guest_path, folder.host_path, std::move(fd), folder.access});
  }
  return options;
}

}  // namespace cordon::runtime
