#include "formats/json.h"
#include "capi/handles.h"

namespace cordon::capi {
namespace {

constexpr int kCausesDeepMax = 16;

void Put(OrderedJson& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

OrderedJson ErrorJson(const Error& error, int depth) {
  OrderedJson object = {{"code", std::string(CodeName(error.code))}, {"message", error.message}};
  Put(object, "remedy", error.remedy);
  if (error.place) {
    OrderedJson& place = object["place"];
    place = {{"file", error.place->file}, {"line", error.place->line}, {"column", error.place->column}};
    Put(place, "excerpt", error.place->excerpt);
  }
  for (const auto& [key, value] : error.details) object["details"][key] = value;
  if (depth < kCausesDeepMax) {
    for (const Error& cause : error.causes) object["causes"].push_back(ErrorJson(cause, depth + 1));
  }
  Put(object, "backtrace", error.backtrace);
  return object;
}

std::string Text(const OrderedJson& value) { return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

// A schema is JSON already.
OrderedJson SchemaOf(const std::string& text) {
  OrderedJson schema = OrderedJson::parse(text, nullptr, false);
  return schema.is_discarded() ? OrderedJson() : schema;
}

const char* RiskText(RiskLevel risk) {
  switch (risk) {
    case RiskLevel::kLow: return "low";
    case RiskLevel::kMedium: return "medium";
    case RiskLevel::kHigh: return "high";
    case RiskLevel::kCritical: return "critical";
  }
  return "critical";
}

const char* StateText(ImportRuling::State state) {
  switch (state) {
    case ImportRuling::State::kLinked: return "linked";
    case ImportRuling::State::kLinkedEmpty: return "linked-empty";
    case ImportRuling::State::kStub: return "stub";
    case ImportRuling::State::kNotLinked: return "not-linked";
  }
  return "not-linked";
}

}  // namespace

std::string JsonOf(const Error& error) { return Text(ErrorJson(error, 0)); }

std::string JsonOf(const AuditRecord& record) {
  OrderedJson object = {{"event", record.event}};
  Put(object, "plugin", record.plugin);
  Put(object, "digest", record.digest);
  if (!record.callers.empty()) object["callers"] = record.callers;
  Put(object, "action", record.action);
  Put(object, "capability", record.capability);
  Put(object, "target", record.target);
  Put(object, "rule", record.rule);
  if (record.allowed) object["allowed"] = *record.allowed;
  if (record.code) object["code"] = std::string(CodeName(*record.code));
  object["count"] = record.count;
  if (record.duration) object["duration-ns"] = record.duration->count();
  for (const auto& [key, value] : record.usage) object["usage"][key] = value;
  Put(object, "note", record.note);
  return Text(object);
}

std::string JsonOf(const std::vector<Action>& actions) {
  OrderedJson list = OrderedJson::array();
  for (const Action& action : actions) {
    list.push_back({{"name", action.name},
                    {"description", action.description},
                    {"export", action.export_name},
                    {"wit", action.wit},
                    {"risk", RiskText(action.risk)},
                    {"input", SchemaOf(action.input_schema)},
                    {"output", SchemaOf(action.output_schema)}});
  }
  return Text(list);
}

std::string JsonOf(const Authority& authority) {
  OrderedJson object = {{"risk", RiskText(authority.risk)},
                        {"rulings", OrderedJson::array()},
                        {"imports", OrderedJson::array()},
                        {"unused-grants", authority.unused_grants}};
  for (const Ruling& ruling : authority.rulings) {
    object["rulings"].push_back({{"capability", ruling.capability},
                                 {"effective", ruling.effective},
                                 {"rule", ruling.rule},
                                 {"reason", ruling.reason},
                                 {"grant", ruling.grant},
                                 {"required", ruling.required},
                                 {"default", ruling.is_default}});
  }
  for (const ImportRuling& import : authority.imports) {
    object["imports"].push_back({{"import", import.import},
                                 {"type", import.type},
                                 {"state", StateText(import.state)},
                                 {"rule", import.rule},
                                 {"grant", import.grant},
                                 {"message", import.message}});
  }
  return Text(object);
}

}  // namespace cordon::capi
