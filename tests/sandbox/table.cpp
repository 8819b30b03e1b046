#include "tests/sandbox/table.h"

#include <array>
#include <functional>
#include <map>

#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/sandbox/event_rules.h"
#include "tests/sandbox/json_path.h"

namespace keyturn::sandbox {
namespace {

struct Cell {
  Column column;
  std::function<Json(const Json& doc, WallTime now)> value;
};

Json age_of(const std::string& time, WallTime now) {
  if (time.empty()) return "<unknown>";
  const auto then = parse_rfc3339(time);
  if (!then) return "<invalid>";
  return *then > now ? Json("<invalid>") : Json(format_age(now - *then));
}

Cell name_cell() {
  return {{"Name", "string", "name", "Name must be unique within a namespace.", "", 0},
          [](const Json& doc, WallTime) { return Json(text_at(doc, "metadata", "name")); }};
}
Cell age_cell() {
  return {{"Age", "string", "", "Time since creation.", "", 0}, [](const Json& doc, WallTime now) {
            return age_of(text_at(doc, "metadata", "creationTimestamp"), now);
          }};
}

Cell text_cell(const char* name, const char* path, int priority = 0) {
  return {{name, "string", "", name, "", priority}, [path](const Json& doc, WallTime) {
            const auto found = json_path(doc, path);
            if (found.empty()) return Json("<none>");
            return found.front()->is_string() ? *found.front() : Json(found.front()->dump());
          }};
}

Cell number_cell(const char* name, const char* path) {
  return {{name, "integer", "", name, "", 0}, [path](const Json& doc, WallTime) {
            const auto found = json_path(doc, path);
            return found.empty() || !found.front()->is_number() ? Json(0) : *found.front();
          }};
}

Cell count_cell(const char* name, const char* path) {
  return {{name, "integer", "", name, "", 0}, [path](const Json& doc, WallTime) {
            const auto found = json_path(doc, path);
            return Json(found.empty() ? 0 : found.front()->size());
          }};
}

Cell ready_cell(const char* have, const char* want) {
  return {{"Ready", "string", "", "Ready of wanted.", "", 0},
          [have, want](const Json& doc, WallTime) {
            const auto number = [&](const char* path) {
              const auto found = json_path(doc, path);
              return found.empty() ? std::string("0") : found.front()->dump();
            };
            return Json(number(have) + "/" + number(want));
          }};
}

Cell last_seen_cell() {
  return {{"Last Seen", "string", "", "When this was last seen.", "", 0},
          [](const Json& doc, WallTime now) {
            for (const char* path : {".series.lastObservedTime", ".lastTimestamp", ".eventTime",
                                     ".metadata.creationTimestamp"}) {
              const auto found = json_path(doc, path);
              if (!found.empty() && found.front()->is_string())
                return age_of(found.front()->get<std::string>(), now);
            }
            return Json("<unknown>");
          }};
}

Cell event_object_cell() {
  return {{"Object", "string", "", "What it is about.", "", 0}, [](const Json& doc, WallTime) {
            return Json(lower_ascii(text_at(doc, "involvedObject", "kind")) + "/" +
                        text_at(doc, "involvedObject", "name"));
          }};
}

std::vector<Cell> builtin_cells(const std::string& storage) {
  if (storage == "secrets")
    return {name_cell(), text_cell("Type", ".type"), count_cell("Data", ".data"), age_cell()};
  if (storage == "configmaps") return {name_cell(), count_cell("Data", ".data"), age_cell()};
  if (storage == "namespaces")
    return {name_cell(), text_cell("Status", ".status.phase"), age_cell()};
  if (storage == "serviceaccounts")
    return {name_cell(), count_cell("Secrets", ".secrets"), age_cell()};
  if (storage == "leases.coordination.k8s.io")
    return {name_cell(), text_cell("Holder", ".spec.holderIdentity"), age_cell()};
  if (storage == "events") {
    return {last_seen_cell(), text_cell("Type", ".type"), text_cell("Reason", ".reason"),
            event_object_cell(), text_cell("Message", ".message")};
  }
  if (storage == "pods") {
    return {name_cell(), text_cell("Status", ".status.phase"), age_cell(),
            text_cell("Node", ".spec.nodeName", 1)};
  }
  if (storage == "deployments.apps" || storage == "statefulsets.apps") {
    return {name_cell(), ready_cell(".status.readyReplicas", ".spec.replicas"),
            number_cell("Up-to-date", ".status.updatedReplicas"),
            number_cell("Available", ".status.availableReplicas"), age_cell()};
  }
  if (storage == "daemonsets.apps") {
    return {name_cell(), number_cell("Desired", ".status.desiredNumberScheduled"),
            number_cell("Ready", ".status.numberReady"), age_cell()};
  }
  if (storage == "customresourcedefinitions.apiextensions.k8s.io") {
    return {name_cell(),
            {{"Created At", "date", "", "When it was made.", "", 0}, [](const Json& doc, WallTime) {
               return Json(text_at(doc, "metadata", "creationTimestamp"));
             }}};
  }
  return {name_cell(), age_cell()};
}

Json custom_value(const Json& doc, const Column& column, WallTime now) {
  const auto found = json_path(doc, column.json_path);
  if (found.empty()) return nullptr;
  const Json& value = *found.front();
  if (column.type == "date")
    return value.is_string() ? age_of(value.get<std::string>(), now) : Json("<invalid>");
  if (column.type == "integer" || column.type == "number" || column.type == "boolean") return value;
  return value.is_string() ? value : Json(value.dump());
}

std::vector<Cell> custom_cells(const Resource& resource) {
  std::vector<Cell> out = {name_cell()};
  for (const Column& column : resource.columns) {
    out.push_back({column, [column](const Json& doc, WallTime now) {
                     return custom_value(doc, column, now);
                   }});
  }
  if (resource.columns.empty()) out.push_back(age_cell());
  return out;
}

}  // namespace

std::string make_table(const Resource& resource, const std::vector<ObjectPtr>& objects,
                       const HttpRequest& request, WallTime now, const std::string& revision,
                       const Json& metadata) {
  const std::vector<Cell> cells =
      resource.custom ? custom_cells(resource) : builtin_cells(resource.storage());
  Json columns = Json::array();
  for (const Cell& cell : cells) {
    columns.push_back({{"name", cell.column.name},
                       {"type", cell.column.type},
                       {"format", cell.column.format},
                       {"description", cell.column.description},
                       {"priority", cell.column.priority}});
  }
  const std::string include = request.param("includeObject").value_or("Metadata");
  Json rows = Json::array();
  for (const ObjectPtr& object : objects) {
    Json row = {{"cells", Json::array()}};
    for (const Cell& cell : cells) row["cells"].push_back(cell.value(object->doc(), now));
    if (include == "Metadata") row["object"] = Json::parse(object->metadata_text());
    if (include == "Object") {
      row["object"] =
          resource.group == "events.k8s.io" ? to_events_v1(object->doc()) : object->doc();
    }
    rows.push_back(std::move(row));
  }
  Json meta = metadata.is_object() ? metadata : Json::object();
  meta["resourceVersion"] = revision;
  const Json table = {{"kind", "Table"},
                      {"apiVersion", "meta.k8s.io/v1"},
                      {"metadata", std::move(meta)},
                      {"columnDefinitions", std::move(columns)},
                      {"rows", std::move(rows)}};
  return table.dump() + "\n";
}

}  // namespace keyturn::sandbox
