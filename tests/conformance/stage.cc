#include "stage.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "engine/code_cache.h"

namespace cordon::conformance {
namespace {

namespace fs = std::filesystem;
using runtime::HostOptions;

constexpr std::string_view kVariable = "GREETING";

std::string Replace(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

std::string Line(const audit::Record& record) {
  std::string line = std::string(audit::EventName(record.event)) + " " + record.plugin + " " + record.capability + " " +
                     record.target + " " + record.rule + " " + record.action;
  if (record.decision) line += *record.decision == policy::Verdict::kAllow ? " allow" : " deny";
  if (record.code) line += " " + std::string(CodeName(*record.code));
  for (const auto& [name, value] : record.usage) line += " " + name;
  return line;
}

// Of an object, what is under its only key `name`.
const Json* Under(const Json& value, const char* name) {
  return value.is_object() && value.size() == 1 && value.contains(name) ? &value[name] : nullptr;
}

std::string TextOf(const Json& value) { return value.is_string() ? value.get<std::string>() : json::Dump(value); }

void ReadJson(Answer& answer) {
  const Json output = json::Parse(answer.report.output).value_or(Json());
  if (const Json* error = Under(output, "err")) {
    answer.own_error = TextOf(error->is_object() ? (*error)["message"] : *error);
  } else if (const Json* ok = Under(output, "ok")) {
    answer.text = TextOf(*ok);
  } else {
    answer.text = TextOf(output);
  }
}

void ReadStandardText(Answer& answer) {
  (answer.report.output == "0" ? answer.text : answer.own_error) = answer.report.stdout_text;
}

void ReadProgramError(Answer& answer) {
  if (answer.exit_status != "1" || answer.report.stderr_text.empty()) return;
  answer.own_error = answer.report.stderr_text;
  answer.code.clear();
}

// The same for every case of every run: compiling would be most of the time.
std::shared_ptr<engine::CodeCache> Cache() {
  auto cache = engine::CodeCache::Open(CORDON_CONFORMANCE_CODE, 1ull << 30);
  return cache ? *cache : nullptr;
}

// A core module that imports one function without parameters and exports another as "run".
std::string ModuleThatImports(std::string_view module, std::string_view function) {
  const auto text = [](std::string_view of) { return static_cast<char>(of.size()) + std::string(of); };
  const auto section = [&](char id, const std::string& content) { return id + text(content); };
  using namespace std::string_literals;
  return "\0asm\1\0\0\0"s + section(1, "\1\x60\0\0"s) + section(2, "\1"s + text(module) + text(function) + "\0\0"s) +
         section(3, "\1\0"s) + section(7, "\1"s + text("run") + "\0\1"s) + section(10, "\1\2\0\x0b"s);
}

}  // namespace

class Stage::KeptLog final : public services::LogSink {
 public:
  void Write(const services::LogLine& line) override { lines.push_back(line); }
  std::vector<services::LogLine> lines;
};

Stage::Stage(const Kind& kind, const Placement& placement, const Site& site)
    : kind_(kind), placement_(placement), site_(site) {
  std::string name = (fs::temp_directory_path() / "cordon-conformance-XXXXXX").string();
  EXPECT_NE(::mkdtemp(name.data()), nullptr);
  folder_ = name;
  fs::create_directory(data());
  std::ofstream(data() / "inside.txt") << "inside";
  std::ofstream(folder_ / "secret.txt") << "secret";
  fs::create_symlink("/etc/passwd", data() / "out");
}

Stage::~Stage() {
  plugin_.reset();
  host_.reset();
  fs::remove_all(folder_);
}

fs::path Stage::WritePlugin(const std::string& name) const {
  const fs::path from = fs::path(CORDON_GUESTS_DIR) / "conformance" / kind_.name;
  std::ifstream file(from / "plugin.yaml");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  text = Replace(std::move(text), "@PORT@", std::to_string(site_.port()));
  text = Replace(std::move(text), "name: conformance/", "name: " + name + "/");
  const fs::path folder = folder_ / name;
  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(from)) {
    if (entry.path().filename() != "plugin.yaml") {
      fs::copy(entry.path(), folder / entry.path().filename(), fs::copy_options::overwrite_existing);
    }
  }
  std::ofstream(folder / "plugin.yaml") << text;
  return folder;
}

void Stage::Load(const Setup& setup) {
  const Status loaded = TryLoad(setup);
  ASSERT_TRUE(loaded) << loaded.error().message << "; " << loaded.error().remedy;
}

Status Stage::TryLoad(const Setup& setup) {
  plugin_.reset();
  setup_ = setup;
  noted_ = 0;
  observer_ = std::make_shared<audit::MemoryObserver>();
  log_ = std::make_shared<KeptLog>();
  HostOptions options;
  options.observer = observer_;
  options.log_sink = log_;
  options.code_cache = Cache();
  options.audit_detail = policy::AuditDetail::kCalls;
  options.config.limits = setup.limits;
  options.config.native = manifest::Config::Native::kAllow;
  placement_.choose(options);
  CORDON_ASSIGN(host_, runtime::Host::Create(std::move(options)));
  return LoadAs("conformance");
}

void Stage::LoadAnother() {
  const Status loaded = LoadAs("another");
  ASSERT_TRUE(loaded) << loaded.error().message;
}

Status Stage::LoadAs(const std::string& name) {
  runtime::LoadRequest request;
  request.source = WritePlugin(name);
  request.grants = setup_.grants;
  for (const std::string& path : setup_.pages) request.grants.push_back("http:GET:" + url(path));
  request.mounts = {{data(), "/data", setup_.access}};
  request.environment = {{std::string(kVariable), "hello"}};
  request.settings = {{"greeting", "good day"}};
  request.memory = setup_.memory;
  request.fuel = setup_.fuel;
  CORDON_ASSIGN(plugin_, host_->Load(request));
  NoteRecords();
  return {};
}

Status Stage::LoadModuleThatImports(std::string_view import) {
  const std::size_t hash = import.find('#');
  runtime::LoadRequest request;
  request.source = "probe";
  request.bytes = ModuleThatImports(import.substr(0, hash), import.substr(hash + 1));
  request.grants = Setup{}.grants;
  request.grants.push_back("http:GET:" + url("/*"));
  auto plugin = host_->Load(request);
  return plugin ? Status{} : Fail(plugin.error());
}

void Stage::NoteRecords() {
  const std::vector<audit::Record> all = observer_->records();
  // Ports and folders differ from run to run.
  for (; noted_ < all.size(); ++noted_) {
    seen_.push_back("audit: " + Replace(Line(all[noted_]), folder_.string(), "FOLDER"));
  }
}

Answer Stage::Ask(std::string_view behaviour, std::string_view input, const AskOptions& asked) {
  Answer answer;
  if (!plugin_) {
    answer.code = "not loaded";
    return answer;
  }
  runtime::CallOptions options;
  options.timeout = asked.timeout;
  options.handle = asked.handle;
  options.principal.agent = "helper";
  std::string given = "{}";
  if (kind_.speaks == Kind::Speaks::kStandardText) {
    options.stdin_bytes = std::string(behaviour) + "\n" + std::string(input);
  } else {
    given = json::Dump({{"behaviour", behaviour}, {"input", input}});
  }
  const std::size_t lines_before = log_->lines.size();
  const Status done = plugin_->Call("run", given, options, answer.report);
  if (!done) {
    answer.code = CodeName(done.error().code);
    answer.exit_status = done.error().Detail("status");
    if (kind_.speaks == Kind::Speaks::kProgram) ReadProgramError(answer);
  } else if (kind_.speaks == Kind::Speaks::kStandardText) {
    ReadStandardText(answer);
  } else {
    ReadJson(answer);
  }
  seen_.push_back("asked: " + std::string(behaviour) + " code: " + answer.code);
  if (asked.text == AskOptions::Text::kSame) {
    seen_.push_back("said: " + answer.text + " own: " + answer.own_error + " stdout: " + answer.report.stdout_text +
                    " stderr: " + answer.report.stderr_text);
  }
  for (std::size_t i = lines_before; i < log_->lines.size(); ++i) seen_.push_back("log: " + log_->lines[i].message);
  NoteRecords();
  return answer;
}

std::string Stage::Text(std::string_view behaviour, std::string_view input) {
  const Answer answer = Ask(behaviour, input);
  EXPECT_EQ(answer.code, "") << behaviour;
  EXPECT_EQ(answer.own_error, "") << behaviour;
  return answer.text;
}

std::string Stage::OwnError(std::string_view behaviour, std::string_view input) {
  const Answer answer = Ask(behaviour, input);
  EXPECT_EQ(answer.code, "") << behaviour << " must fail with an error of the guest's own";
  EXPECT_NE(answer.own_error, "") << behaviour << " answered: " << answer.text;
  return answer.own_error;
}

std::string Stage::Code(std::string_view behaviour, std::string_view input, const AskOptions& options) {
  const Answer answer = Ask(behaviour, input, options);
  EXPECT_EQ(answer.text + answer.own_error, "") << behaviour;
  return answer.code;
}

std::string Stage::url(std::string_view path) const {
  return "http://127.0.0.1:" + std::to_string(site_.port()) + std::string(path);
}

std::vector<audit::Record> Stage::records() const { return observer_->records(); }

const std::vector<services::LogLine>& Stage::log() const { return log_->lines; }

Clocks ReadClocks(Stage& stage) {
  Clocks clocks;
  std::istringstream words(stage.Ask("clocks", "", {.text = AskOptions::Text::kDiffers}).text);
  EXPECT_TRUE(words >> clocks.now >> clocks.readings >> clocks.fine >> clocks.random);
  return clocks;
}

}  // namespace cordon::conformance
