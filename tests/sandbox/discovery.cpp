#include "tests/sandbox/discovery.h"

#include <map>
#include <set>

#include "lib/base/text.h"

namespace keyturn::sandbox {
namespace {

using Versions = std::map<std::string, std::vector<ResourcePtr>>;
using Groups = std::map<std::string, Versions>;

Groups groups_of(const Registry& registry) {
  Groups out;
  for (const ResourcePtr& resource : registry.all())
    out[resource->group][resource->version].push_back(resource);
  return out;
}

const std::vector<std::string>& verbs_of(bool status) {
  static const std::vector<std::string> kAll = {"create", "delete", "deletecollection", "get",
                                                "list",   "patch",  "update",           "watch"};
  static const std::vector<std::string> kStatus = {"get", "patch", "update"};
  return status ? kStatus : kAll;
}

Json api_resource(const Resource& resource) {
  Json out = {{"name", resource.plural},
              {"singularName", resource.singular},
              {"namespaced", resource.namespaced},
              {"kind", resource.kind},
              {"verbs", verbs_of(false)}};
  if (!resource.short_names.empty()) out["shortNames"] = resource.short_names;
  if (!resource.categories.empty()) out["categories"] = resource.categories;
  return out;
}

Json access_review_resource() {
  return {{"name", "selfsubjectaccessreviews"},
          {"singularName", "selfsubjectaccessreview"},
          {"namespaced", false},
          {"kind", "SelfSubjectAccessReview"},
          {"verbs", {"create"}}};
}

Json resource_list(const std::string& group_version, const std::vector<ResourcePtr>& resources) {
  Json list = Json::array();
  for (const ResourcePtr& resource : resources) {
    list.push_back(api_resource(*resource));
    if (resource->status) {
      list.push_back({{"name", resource->plural + "/status"},
                      {"singularName", ""},
                      {"namespaced", resource->namespaced},
                      {"kind", resource->kind},
                      {"verbs", verbs_of(true)}});
    }
    if (resource->plural == "serviceaccounts") {
      list.push_back({{"name", "serviceaccounts/token"},
                      {"singularName", ""},
                      {"namespaced", true},
                      {"group", "authentication.k8s.io"},
                      {"version", "v1"},
                      {"kind", "TokenRequest"},
                      {"verbs", {"create"}}});
    }
  }
  return {{"kind", "APIResourceList"},
          {"apiVersion", "v1"},
          {"groupVersion", group_version},
          {"resources", list}};
}

Json group_entry(const std::string& group, const Versions& versions) {
  Json list = Json::array();
  for (const auto& [version, resources] : versions) {
    list.push_back({{"groupVersion", group + "/" + version}, {"version", version}});
  }
  return {{"name", group}, {"versions", list}, {"preferredVersion", list.front()}};
}

Json aggregated_resource(const Resource& resource) {
  const Json response = {
      {"group", resource.group}, {"version", resource.version}, {"kind", resource.kind}};
  Json out = {{"resource", resource.plural},
              {"responseKind", response},
              {"scope", resource.namespaced ? "Namespaced" : "Cluster"},
              {"singularResource", resource.singular},
              {"verbs", verbs_of(false)}};
  if (!resource.short_names.empty()) out["shortNames"] = resource.short_names;
  if (!resource.categories.empty()) out["categories"] = resource.categories;
  if (resource.status) {
    out["subresources"].push_back(
        {{"subresource", "status"}, {"responseKind", response}, {"verbs", verbs_of(true)}});
  }
  if (resource.plural == "serviceaccounts") {
    out["subresources"].push_back(
        {{"subresource", "token"},
         {"responseKind",
          {{"group", "authentication.k8s.io"}, {"version", "v1"}, {"kind", "TokenRequest"}}},
         {"verbs", {"create"}}});
  }
  return out;
}

HttpResponse aggregated(const Groups& groups, bool core) {
  Json items = Json::array();
  for (const auto& [group, versions] : groups) {
    if (group.empty() != core) continue;
    Json list = Json::array();
    for (const auto& [version, resources] : versions) {
      Json entries = Json::array();
      for (const ResourcePtr& resource : resources)
        entries.push_back(aggregated_resource(*resource));
      list.push_back({{"version", version}, {"resources", entries}, {"freshness", "Current"}});
    }
    Json metadata = Json::object();
    if (!group.empty()) metadata["name"] = group;
    items.push_back({{"metadata", metadata}, {"versions", list}});
  }
  const Json body = {{"kind", "APIGroupDiscoveryList"},
                     {"apiVersion", "apidiscovery.k8s.io/v2"},
                     {"metadata", Json::object()},
                     {"items", items}};
  return {200,
          "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
          body.dump() + "\n",
          {{"Vary", "Accept"}}};
}

bool wants_aggregated(const HttpRequest& request) {
  const std::string accept = request.header("accept");
  return accept.find("g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList") != std::string::npos;
}

HttpResponse json(const Json& body) { return {200, "application/json", body.dump() + "\n", {}}; }

}  // namespace

std::optional<HttpResponse> discovery_answer(const HttpRequest& request, const Registry& registry) {
  if (request.path == "/version") {
    return json({{"major", "1"},
                 {"minor", "36"},
                 {"gitVersion", "v1.36.3+keyturn-sandbox"},
                 {"gitCommit", "0000000000000000000000000000000000000000"},
                 {"gitTreeState", "clean"},
                 {"buildDate", "2026-01-01T00:00:00Z"},
                 {"goVersion", "none"},
                 {"compiler", "gcc"},
                 {"platform", "linux/amd64"}});
  }
  std::vector<std::string> parts = split(request.path, '/');
  std::erase(parts, "");
  if (parts.empty() || (parts[0] != "api" && parts[0] != "apis")) return std::nullopt;
  const bool core = parts[0] == "api";
  const Groups groups = groups_of(registry);
  if (parts.size() == 1 && wants_aggregated(request)) return aggregated(groups, core);
  if (parts.size() == 1 && core) {
    return json({{"kind", "APIVersions"},
                 {"versions", {"v1"}},
                 {"serverAddressByClientCIDRs",
                  {{{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", "127.0.0.1"}}}}});
  }
  if (parts.size() == 1) {
    Json list = Json::array();
    for (const auto& [group, versions] : groups) {
      if (!group.empty()) list.push_back(group_entry(group, versions));
    }
    list.push_back(group_entry("authorization.k8s.io", {{"v1", {}}}));
    return json({{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", list}});
  }
  const std::string group = core ? "" : parts[1];
  if (!core && parts.size() == 3 && group == "authorization.k8s.io" && parts[2] == "v1") {
    Json list = resource_list("authorization.k8s.io/v1", {});
    list["resources"].push_back(access_review_resource());
    return json(list);
  }
  const auto found = groups.find(group);
  if (found == groups.end()) return std::nullopt;
  if (!core && parts.size() == 2) {
    Json entry = group_entry(group, found->second);
    entry["kind"] = "APIGroup";
    entry["apiVersion"] = "v1";
    return json(entry);
  }
  const std::string version = core ? parts[1] : parts[2];
  const auto served = found->second.find(version);
  if (parts.size() != (core ? 2U : 3U) || served == found->second.end()) return std::nullopt;
  return json(resource_list(core ? version : group + "/" + version, served->second));
}

}  // namespace keyturn::sandbox
