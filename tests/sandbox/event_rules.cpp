#include "tests/sandbox/event_rules.h"

#include <array>
#include <string>
#include <utility>

#include "tests/sandbox/kind_rules.h"

namespace keyturn::sandbox {
namespace {

// Core name, events.k8s.io name.
constexpr std::array<std::pair<const char*, const char*>, 7> kFields = {{
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"reportingComponent", "reportingController"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
}};
constexpr std::size_t kMaxName = 128, kMaxNote = 1024;

void rename(Json& doc, const char* from, const char* to) {
  const auto found = doc.find(from);
  if (found == doc.end()) return;
  Json value = std::move(*found);
  doc.erase(found);
  doc[to] = std::move(value);
}

class Checker {
 public:
  Checker(const Json& event, bool v1, std::vector<ErrorCause>& causes)
      : event_(event),
        controller_(v1 ? "reportingController" : "reportingComponent"),
        causes_(causes) {}

  // Both versions, created or changed. Events with an eventTime are those of today.
  void check() {
    const std::string ns = text_at(event_, "metadata", "namespace");
    const std::string about = text_at(event_, "involvedObject", "namespace");
    const bool dated = !text_at(event_, "eventTime").empty();
    const bool nowhere = ns == "default" || (dated && ns == "kube-system");
    if (about.empty() ? !nowhere : !dated && about != ns) {
      invalid("involvedObject.namespace", "\"" + about + "\": does not match event.namespace");
    }
    if (!dated) return;
    required("reportingComponent", controller_);
    if (const std::string controller = text_at(event_, "reportingComponent");
        !controller.empty() && !is_label_key(controller)) {
      invalid(controller_, "\"" + controller +
                               "\": name part must consist of alphanumeric "
                               "characters, '-', '_' or '.'");
    }
    for (const char* field : {"reportingInstance", "action", "reason"}) {
      required(field, field);
      at_most(field, kMaxName);
    }
    at_most("message", kMaxNote);
  }

  // Created through events.k8s.io/v1.
  void check_new() {
    check_series();
    required("eventTime", "eventTime");
    const std::string type = text_at(event_, "type");
    if (type != "Normal" && type != "Warning") invalid("type", "\"\": has invalid value: " + type);
    for (const char* field : {"firstTimestamp", "lastTimestamp", "count", "source"}) {
      const Json& value = at(event_, field);
      if (!value.is_null() && !value.empty() && value != 0)
        invalid(field, "\"\": needs to be unset");
    }
  }

  // Changed through events.k8s.io/v1: its series may grow, nothing else.
  void check_change(const Json& before) {
    if (at(event_, "series") != at(before, "series")) check_series();
    for (const char* field :
         {"involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp",
          "count", "type", "eventTime", "action", "related", "reportingInstance"}) {
      fixed(before, field, field);
    }
    fixed(before, "reportingComponent", controller_);
  }

 private:
  void invalid(const std::string& field, const std::string& why) {
    causes_.push_back({"FieldValueInvalid", "Invalid value: " + why, field});
  }
  void required(const char* field, const char* shown) {
    if (text_at(event_, field).empty())
      causes_.push_back({"FieldValueRequired", "Required value", shown});
  }
  void at_most(const char* field, std::size_t characters) {
    if (text_at(event_, field).size() > characters)
      invalid(field, "\"\": can have at most " + std::to_string(characters) + " characters");
  }
  void fixed(const Json& before, const char* field, const char* shown) {
    if (at(event_, field) != at(before, field))
      invalid(shown, at(event_, field).dump() + ": field is immutable");
  }
  void check_series() {
    const Json& series = at(event_, "series");
    if (series.is_null()) return;
    if (const Json& count = at(series, "count"); !count.is_number() || count < 2)
      invalid("series.count", "\"\": should be at least 2");
    if (text_at(series, "lastObservedTime").empty())
      causes_.push_back({"FieldValueRequired", "Required value", "series.lastObservedTime"});
  }

  const Json& event_;
  const char* controller_;
  std::vector<ErrorCause>& causes_;
};

}  // namespace

Json to_stored_event(Json doc) {
  for (const auto& [core, events] : kFields) rename(doc, events, core);
  doc["apiVersion"] = "v1";
  return doc;
}

Json to_events_v1(Json doc) {
  for (const auto& [core, events] : kFields) rename(doc, core, events);
  doc["apiVersion"] = "events.k8s.io/v1";
  return doc;
}

void check_event(const Resource& resource, const Json& doc, const Json* live,
                 std::vector<ErrorCause>& causes) {
  const bool v1 = resource.group == "events.k8s.io";
  const Json event = to_stored_event(doc);
  Checker checker(event, v1, causes);
  checker.check();
  if (v1 && !live) checker.check_new();
  if (v1 && live) checker.check_change(to_stored_event(*live));
}

void add_empty_fields(const Resource& resource, Json& doc) {
  Json event = {{"involvedObject", Json::object()},
                {"source", Json::object()},
                {"eventTime", nullptr},
                {"firstTimestamp", nullptr},
                {"lastTimestamp", nullptr}};
  if (resource.group == "events.k8s.io") {
    event = to_events_v1(std::move(event));
  } else {
    event["reportingComponent"] = event["reportingInstance"] = "";
  }
  event.erase("apiVersion");
  doc.update(event);
}

}  // namespace keyturn::sandbox
