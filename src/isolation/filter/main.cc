// Writes what confined programs may not ask of the kernel, as the kernel wants it, for the build to compile in: so what
// runs has no need of libseccomp.
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

namespace {

// Ways to other processes, to mounts and namespaces, to the kernel's larger and younger parts, to keys and to the
// clock.
constexpr int kDenied[] = {
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(fanotify_init),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(lookup_dcookie),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(quotactl_fd),
    SCMP_SYS(syslog),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(reboot),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(uselib),
    SCMP_SYS(vhangup),
    SCMP_SYS(personality),
    SCMP_SYS(mbind),
    SCMP_SYS(migrate_pages),
    SCMP_SYS(move_pages),
    SCMP_SYS(set_mempolicy),
    SCMP_SYS(ustat),
    SCMP_SYS(_sysctl),
    SCMP_SYS(nfsservctl),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
};

// A namespace of its own would give it powers over that.
constexpr std::array<unsigned long, 7> kNamespaces = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
                                                      CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};

// Writing into the terminal's input, and the console's clipboard. The kernel looks at the lower half of the number.
constexpr std::array<unsigned long, 2> kTerminalWrites = {TIOCSTI, TIOCLINUX};

bool Fill(scmp_filter_ctx filter) {
  bool good = true;
  const auto denied = [&](int error, int call, std::initializer_list<scmp_arg_cmp> where) {
    const std::vector<scmp_arg_cmp> list(where);
    const int done = ::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(static_cast<unsigned>(error)), call,
                                              static_cast<unsigned>(list.size()), list.data());
    good = good && (done == 0 || done == -EDOM);
  };
  for (const int call : kDenied) denied(EPERM, call, {});
  // Its flags lie in memory, where no filter can look; libraries fall back to clone.
  denied(ENOSYS, SCMP_SYS(clone3), {});
  for (const unsigned long flag : kNamespaces) {
    denied(EPERM, SCMP_SYS(clone), {SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag)});
  }
  for (const unsigned long request : kTerminalWrites) {
    denied(EPERM, SCMP_SYS(ioctl), {SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffUL, request)});
  }
  // Of sockets the kinds of this machine and of IP; others, of virtual machines for one, know no namespaces.
  denied(EAFNOSUPPORT, SCMP_SYS(socket), {SCMP_A0(SCMP_CMP_GT, AF_INET6)});
  for (int family = AF_INET + 1; family < AF_INET6; ++family) {
    denied(EAFNOSUPPORT, SCMP_SYS(socket), {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))});
  }
  return good;
}

}  // namespace

int main() {
  scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
  std::FILE* const file = std::tmpfile();
  if (filter == nullptr || file == nullptr || !Fill(filter) || ::seccomp_export_bpf(filter, ::fileno(file)) != 0) {
    return 1;
  }
  ::seccomp_release(filter);
  std::rewind(file);
  for (int byte = std::fgetc(file); byte != EOF; byte = std::fgetc(file)) std::printf("0x%02x,", byte);
  return std::fclose(file);
}
