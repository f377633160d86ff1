#!/usr/bin/env python3
"""Builds and runs programs of other people's against the installed library, each in one way of finding it.

    consume.py install|find_package_static|find_package_shared|pkg_config_static|...

`install` puts the tree into one folder and moves it to another, so that every consumer proves that it may be moved.
Consumers run with an empty environment: no Rust, no variable, no path that would make up for what is missing.
"""
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
CONSUMER = SOURCE / "tests" / "consume" / "consumer"
BUILD = pathlib.Path(os.environ["CORDON_BUILD"])
GUESTS = pathlib.Path(os.environ["CORDON_GUESTS"])
WORK = BUILD / "consume"
TREE = WORK / "moved tree"  # with a space: nothing may split on it
PLUGIN = GUESTS / "core_math.wasm"
SAYS = "42 42 E_AUDIT_UNAVAILABLE\n"
# What a machine needs to compile against the tree, and no more.
TOOLS = ("c++", "g++", "cc", "gcc", "as", "ld", "ar", "cmake", "ninja", "pkg-config")


def tools() -> str:
    """A folder of the tools: wherever Rust is on this machine, it is not in it."""
    folder = WORK / "tools"
    folder.mkdir(parents=True, exist_ok=True)
    for tool in TOOLS:
        found = shutil.which(tool)
        if found and not (folder / tool).exists():
            (folder / tool).symlink_to(found)
    return str(folder)


def run(*command, where: pathlib.Path = WORK, clean: bool = True, **variables) -> str:
    # The compiler cache knows the files of the build folder by their relative names (Makefile).
    cached = {"CCACHE_BASEDIR": str(SOURCE), "CCACHE_NOHASHDIR": "1"}
    environment = {"PATH": tools(), "LC_ALL": "C"} if clean else os.environ | cached
    print("+", shlex.join(map(str, command)), flush=True)
    done = subprocess.run([str(word) for word in command], cwd=where, env=environment | variables, timeout=900,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nfailed with {done.returncode}: {shlex.join(map(str, command))}")
    return done.stdout


def answers(program: pathlib.Path, says: str = SAYS, arguments: tuple = (PLUGIN,), **variables) -> None:
    """In an empty environment, and in a folder that is not the tree's."""
    done = subprocess.run([program, *arguments], cwd="/", env=variables, timeout=120, capture_output=True, text=True)
    if done.returncode != 0 or done.stdout != says:
        sys.exit(f"{program} ended with {done.returncode}\nsays:  {done.stdout!r}\nnot:   {says!r}\n{done.stderr}")
    print(f"{program.name}: {done.stdout}", end="")


def fresh(name: str) -> pathlib.Path:
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def library_folder() -> pathlib.Path:
    return next(TREE.glob("lib/**/libcordon.a")).parent


def install() -> None:
    first = fresh("first place")
    shutil.rmtree(TREE, ignore_errors=True)
    run("cmake", "--install", BUILD, "--prefix", first, clean=False)
    first.rename(TREE)
    for file in sorted(TREE.rglob("*")):
        if file.suffix in {".cmake", ".pc"} and str(BUILD.parent) in file.read_text():
            sys.exit(f"{file} names a folder of the machine that built it")
    call = ("run", PLUGIN, "add", "--input", '{"p0": 2, "p1": 40}')
    answers(TREE / "bin" / "cordon", "42\n", call, HOME=str(fresh("home")))


def c_main() -> str:
    source = CONSUMER / "main.c"
    return str(source) if source.exists() and (SOURCE / "include" / "cordon.h").exists() else ""


def find_package(how: str) -> None:
    folder = fresh(f"find_package_{how}")
    run("cmake", "-G", "Ninja", "-S", CONSUMER, "-B", folder, f"-DHOW={how}", f"-DCMAKE_PREFIX_PATH={TREE}",
        f"-DCORDON_C_MAIN={c_main()}")
    run("cmake", "--build", folder)
    answers(folder / "consumer")
    if c_main():
        answers(folder / "consumer_c")


def find_package_static() -> None:
    find_package("static")


def find_package_shared() -> None:
    find_package("shared")


def find_package_bindgen() -> None:
    """The example with typed calls: the installed command writes its types, and nothing of the source is there."""
    folder = fresh("bindgen")
    shutil.copytree(SOURCE / "examples" / "hosts" / "cpp-typed", folder / "source")
    wit = TREE / "share" / "cordon" / "wit" / "parseltongue-analysis"
    run("cmake", "-G", "Ninja", "-S", folder / "source", "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={TREE}",
        f"-Dwit={wit}")
    run("cmake", "--build", folder / "build")
    said = run(folder / "build" / "cpp_typed", GUESTS / "plugins" / "graph-analyst")
    if not said.endswith("\nunderstood: 100 %\n"):
        sys.exit(f"cpp_typed says {said!r}")


def find_package_other_version() -> None:
    """Below 1.0 a minor version may break: another one is not taken."""
    folder = fresh("other_version")
    project = "cmake_minimum_required(VERSION 3.25)\nproject(other LANGUAGES CXX)\nfind_package(cordon @ CONFIG)\n"
    for version, found in (("0.1", True), ("0.1.0", True), ("0.0", False), ("0.2", False), ("1.0", False)):
        (folder / "CMakeLists.txt").write_text(project.replace("@", version) + "message(\"found=${cordon_FOUND}\")\n")
        said = run("cmake", "-G", "Ninja", "-S", folder, "-B", folder / version, f"-DCMAKE_PREFIX_PATH={TREE}")
        if (f"found={1 if found else 0}" not in said) and not (found and "found=TRUE" in said):
            sys.exit(f"version {version} should {'' if found else 'not '}be found:\n{said}")


def package_flags(package: str, library: pathlib.Path) -> list[str]:
    path = {"PKG_CONFIG_PATH": str(library / "pkgconfig")}
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", package, **path))
    if package == "cordon":
        return [*flags, f"-Wl,-rpath,{library}"]
    compiler = shlex.split(run("pkg-config", "--variable=compiler", package, **path))[0]
    return [*flags, f'-DCORDON_COMPILER_PATH="{compiler}"']


def pkg_config(package: str) -> None:
    folder = fresh(f"pkg_config_{package}")
    flags = package_flags(package, library_folder())
    run("c++", "-std=c++23", CONSUMER / "main.cc", "-o", folder / "consumer", *flags)
    answers(folder / "consumer")
    if c_main():
        run("cc", "-std=c11", c_main(), "-o", folder / "consumer_c", *flags)
        answers(folder / "consumer_c")


def pkg_config_static() -> None:
    pkg_config("cordon-static")


def pkg_config_shared() -> None:
    pkg_config("cordon")


def beside_another_engine() -> None:
    """The static library, and a Rust library that has the same symbols as the one inside: no clash, no mixing."""
    folder = fresh("beside")
    flags = package_flags("cordon-static", library_folder())
    run("c++", "-std=c++23", CONSUMER / "beside.cc", "-o", folder / "consumer", f"-I{SOURCE / 'bridge' / 'include'}",
        BUILD / "libcordon_bridge.a", *flags)
    answers(folder / "consumer", "1 42\n")


def subproject(how: str, *options: str) -> None:
    """Beside the build folder and with its flags, so that the compiler cache knows every file already; one after the
    other in one folder, so that without a cache all is compiled once."""
    folder = BUILD.with_name(BUILD.name + "-consume")
    same = [f"-D{name}={os.environ.get(name, '')}" for name in
            ("CMAKE_BUILD_TYPE", "CMAKE_CXX_COMPILER", "CMAKE_C_COMPILER", "CMAKE_CXX_FLAGS_RELWITHDEBINFO")]
    run("cmake", "-G", "Ninja", "-S", CONSUMER, "-B", folder, f"-DHOW={how}", f"-DCORDON_SOURCE={SOURCE}",
        "-DCORDON_WERROR=ON", f"-DCORDON_C_MAIN={c_main()}", *same, *options, clean=False)
    run("cmake", "--build", folder, "--target", "consumer", *(["consumer_c"] if c_main() else []), clean=False)
    answers(folder / "consumer")
    if c_main():
        answers(folder / "consumer_c")
    if (folder / "bin").exists():
        sys.exit(f"the subproject made {folder / 'bin'}")


def add_subdirectory() -> None:
    shutil.rmtree(BUILD.with_name(BUILD.name + "-consume"), ignore_errors=True)
    subproject("subdirectory")


def fetch_content() -> None:
    subproject("fetch", "-DCORDON_SHARED=OFF")


def fetch_content_shared() -> None:
    subproject("fetch", "-DCORDON_SHARED=ON")
    shutil.rmtree(BUILD.with_name(BUILD.name + "-consume"))


CASES = (install, find_package_static, find_package_shared, find_package_bindgen, find_package_other_version,
         pkg_config_static, pkg_config_shared, beside_another_engine, add_subdirectory, fetch_content,
         fetch_content_shared)

if __name__ == "__main__":
    WORK.mkdir(parents=True, exist_ok=True)
    {case.__name__: case for case in CASES}[sys.argv[1]]()
