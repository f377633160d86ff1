#!/usr/bin/env python3
"""Tests of tools/exports.py: which names a header declares, and which name a symbol has."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import exports  # noqa: E402

HEADER = '''
// int Commented();
#define MACRO(x) \\
  int OfAMacro(x)
namespace cordon {
std::string Free(int a, const char* text = "int InAString();");
inline int Inline() { return Called(); }
class Sink {
 public:
  virtual ~Sink() = default;
  virtual Status Write(const Record& record) = 0;
};
class Host {
 public:
  static Result<Host> Create(Options options = {});
  Host(Host&&) noexcept;
  Host& operator=(Host&&) noexcept;
  bool operator()(int) const;
  ~Host();
  struct State;
 private:
  enum class Kind { kOne } kind = Kind::kOne;
  std::shared_ptr<State> state_;
};
namespace detail {
template <typename T> void Template(T t);
}
}  // namespace cordon
'''
C_HEADER = '''
#ifdef __cplusplus
extern "C" {
#endif
typedef struct cordon_host cordon_host;
cordon_host *cordon_host_create(const char *config);
#ifdef __cplusplus
}
#endif
'''


class Tests(unittest.TestCase):
    def test_declared_names(self):
        functions, polymorphic = exports.declared_names(HEADER)
        for name in ("cordon::Free", "cordon::Host::Create", "cordon::Host::Host", "cordon::Host::operator=",
                     "cordon::Host::operator()", "cordon::Host::~Host", "cordon::detail::Template"):
            self.assertIn(name, functions)
        for name in ("Commented", "OfAMacro", "InAString", "Called"):
            self.assertFalse([found for found in functions if found.endswith(name)], name)
        self.assertEqual(polymorphic, {"cordon::Sink"})

    def test_c_functions_have_plain_names(self):
        self.assertEqual(exports.declared_names(C_HEADER), ({"cordon_host_create"}, set()))

    def test_a_symbol_belongs_to_what_declares_it_and_not_to_what_it_mentions(self):
        for demangled, name in (
            ("cordon::Host::Load(std::filesystem::path const&) const", "cordon::Host::Load"),
            ("cordon::Name[abi:cxx11](cordon::Code)", "cordon::Name"),
            ("cordon::Host::State::Load(cordon::Host&)", "cordon::Host::State::Load"),
            ("cordon::Host::operator()(int) const", "cordon::Host::operator()"),
            ("std::vector<cordon::Action, std::allocator<cordon::Action> >::~vector()",
             "std::vector<cordon::Action, std::allocator<cordon::Action> >::~vector"),
            ("cordon_host_create", "cordon_host_create"),
        ):
            self.assertEqual(exports.qualified_name(demangled), name)


if __name__ == "__main__":
    unittest.main()
