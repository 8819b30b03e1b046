// Organisations and buckets of InfluxDB over HTTP, and as much of writing and querying as shows
// whether a token may.
#include <algorithm>

#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/sandbox/influx_db.h"
#include "tests/sandbox/influx_error.h"
#include "tests/sandbox/influx_request.h"

namespace keyturn::sandbox {
namespace {

InfluxError no_org_named(const std::string& name) {
  return {"not found", "organization name \"" + name + "\" not found"};
}

InfluxError no_bucket_named(const std::string& name) {
  return {"not found", "bucket \"" + name + "\" not found"};
}

// Where this page of buckets and its neighbours are. There is a next one as soon as this one is
// full.
Json page_links(const InfluxPage& page, std::size_t count, const HttpRequest& request) {
  const auto link = [&](std::size_t offset) {
    std::map<std::string, std::string> query = {{"descending", "false"},
                                                {"limit", std::to_string(page.limit)},
                                                {"offset", std::to_string(offset)}};
    for (const char* name : {"id", "orgID", "org"}) {
      if (const std::string value = influx_param(request, name); !value.empty())
        query[name] = value;
    }
    if (const std::string name = influx_param(request, "name"); !name.empty())
      query["bucket"] = name;
    std::string out = "/api/v2/buckets";
    for (const auto& [name, value] : query) {
      out += out.find('?') == std::string::npos ? "?" : "&";
      out += name + "=" + url_encode(value);
    }
    return out;
  };
  Json out = {{"self", link(page.offset)}};
  if (count >= page.limit) out["next"] = link(page.offset + page.limit);
  if (page.offset > 0) out["prev"] = link(page.offset - std::min(page.offset, page.limit));
  return out;
}

}  // namespace

HttpResponse InfluxDb::ping(const Caller&, const Request&, const std::string&) {
  return influx_no_content();
}

HttpResponse InfluxDb::health(const Caller&, const Request&, const std::string&) {
  return influx_answer(200, {{"name", "influxdb"},
                             {"message", "ready for queries and writes"},
                             {"status", "pass"},
                             {"checks", Json::array()},
                             {"version", "v" + options_.version},
                             {"commit", "sandbox"}});
}

Json InfluxDb::org_json(const InfluxOrg& org) const {
  const std::string self = "/api/v2/orgs/" + org.id;
  Json links = {{"self", self}};
  for (const char* part : {"labels", "logs", "members", "owners", "secrets"})
    links[part] = self + "/" + part;
  for (const char* list : {"buckets", "dashboards", "tasks"})
    links[list] = std::string("/api/v2/") + list + "?org=" + org.name;
  const std::string created = format_rfc3339_micro(org.created);
  return {{"id", org.id},         {"name", org.name},     {"description", org.description},
          {"createdAt", created}, {"updatedAt", created}, {"links", std::move(links)}};
}

// Unfiltered, the caller's own organisations unless it may read all; whatever it may not read is
// left out without a word.
HttpResponse InfluxDb::list_orgs(const Caller& caller, const Request& request, const std::string&) {
  const InfluxPage page = influx_page(request);
  const std::string name = influx_param(request, "org");
  const std::string id = influx_param(request, "orgID");
  std::string user = influx_param(request, "userID");
  if (name.empty() && id.empty() && user.empty() && !allowed(caller, {"read", "orgs", "", ""}))
    user = caller.user;
  if (!id.empty() && !orgs_.contains(id)) throw InfluxError("not found", "organization not found");
  if (id.empty() && !name.empty() && !org_named(name)) throw no_org_named(name);
  Json list = Json::array();
  std::size_t seen = 0;
  for (const auto& [key, org] : orgs_) {
    const bool wanted = !id.empty()     ? key == id
                        : !name.empty() ? org.name == name
                                        : user.empty() || org.people.contains(user);
    // A page is cut before permissions are looked at.
    if (!wanted || seen++ < page.offset || seen > page.offset + page.limit) continue;
    if (allowed(caller, {"read", "orgs", key, ""})) list.push_back(org_json(org));
  }
  return influx_answer(200, {{"links", {{"self", "/api/v2/orgs"}}}, {"orgs", std::move(list)}});
}

HttpResponse InfluxDb::create_org(const Caller& caller, const Request& request,
                                  const std::string&) {
  const Json body = Json::parse(request.body);
  require(caller, {"write", "orgs", "", ""});
  InfluxOrg& org = new_org(text_at(body, "name"));
  org.description = text_at(body, "description");
  org.people[caller.user] = true;
  return influx_answer(201, org_json(org));
}

HttpResponse InfluxDb::get_org(const Caller& caller, const Request&, const std::string& id) {
  require(caller, {"read", "orgs", influx_id(id), ""});
  const auto found = orgs_.find(id);
  if (found == orgs_.end()) throw InfluxError("not found", "organization not found");
  return influx_answer(200, org_json(found->second));
}

HttpResponse InfluxDb::add_person(const Caller& caller, const Request& request,
                                  const std::string& id) {
  const bool owner = request.path.ends_with("/owners");
  const std::string user = influx_id(text_at(Json::parse(request.body), "id"));
  require(caller, {"read", "orgs", influx_id(id), ""});
  const auto org = orgs_.find(id);
  if (org == orgs_.end()) throw InfluxError("not found", "organization not found");
  if (!users_.contains(user)) throw InfluxError("not found", "user not found");
  require(caller, {"write", "orgs", id, ""});
  if (!org->second.people.emplace(user, owner).second) {
    throw InfluxError("internal error",
                      "Unexpected error when assigning user to a resource: mapping for user " +
                          user + " already exists");
  }
  Json out = user_json(users_.at(user));
  out["role"] = owner ? "owner" : "member";
  return influx_answer(201, out);
}

Json InfluxDb::bucket_json(const InfluxBucket& bucket) const {
  const std::string self = "/api/v2/buckets/" + bucket.id;
  const std::string created = format_rfc3339_micro(bucket.created);
  Json out = {{"id", bucket.id},
              {"orgID", bucket.org},
              {"type", bucket.system ? "system" : "user"},
              {"name", bucket.name},
              {"retentionRules",
               {{{"type", "expire"},
                 {"everySeconds", bucket.retention_seconds},
                 {"shardGroupDurationSeconds", bucket.system ? 86'400 : 604'800}}}},
              {"createdAt", created},
              {"updatedAt", created},
              {"labels", Json::array()},
              {"links",
               {{"self", self},
                {"org", "/api/v2/orgs/" + bucket.org},
                {"members", self + "/members"},
                {"owners", self + "/owners"},
                {"labels", self + "/labels"},
                {"write", "/api/v2/write?org=" + bucket.org + "&bucket=" + bucket.id}}}};
  if (!bucket.description.empty()) out["description"] = bucket.description;
  return out;
}

// A system bucket goes with its organisation.
bool InfluxDb::may_see(const Caller& caller, const InfluxBucket& bucket) const {
  return bucket.system ? allowed(caller, {"read", "orgs", bucket.org, ""})
                       : allowed(caller, {"read", "buckets", bucket.id, bucket.org});
}

HttpResponse InfluxDb::list_buckets(const Caller& caller, const Request& request,
                                    const std::string&) {
  const InfluxPage page = influx_page(request);
  const std::string id = influx_id_param(request, "id");
  const std::string name = influx_param(request, "name");
  std::string org = influx_id_param(request, "orgID");
  const std::string org_name = influx_param(request, "org");
  if (!id.empty() && !buckets_.contains(id)) throw InfluxError("not found", "bucket not found");
  if (id.empty() && org.empty() && !org_name.empty()) {
    const InfluxOrg* found = org_named(org_name);
    if (!found) throw no_org_named(org_name);
    org = found->id;
  }
  Json list = Json::array();
  std::size_t seen = 0;
  for (const auto& [key, bucket] : buckets_) {
    const bool wanted =
        id.empty() ? (org.empty() || bucket.org == org) && (name.empty() || bucket.name == name)
                   : key == id;
    if (!wanted || seen++ < page.offset || seen > page.offset + page.limit) continue;
    if (may_see(caller, bucket)) list.push_back(bucket_json(bucket));
  }
  if (id.empty() && !name.empty() && !org.empty() && seen == 0) throw no_bucket_named(name);
  Json out = {{"links", page_links(page, list.size(), request)}};
  out["buckets"] = std::move(list);
  return influx_answer(200, out);
}

HttpResponse InfluxDb::create_bucket(const Caller& caller, const Request& request,
                                     const std::string&) {
  const Json body = Json::parse(request.body);
  const std::string org = text_at(body, "orgID");
  if (org.empty()) throw InfluxError("invalid", "organization id must be provided");
  require(caller, {"write", "buckets", "", influx_id(org)});
  if (!orgs_.contains(org)) throw InfluxError("not found", "organization not found");
  InfluxBucket& bucket = new_bucket(org, text_at(body, "name"), false);
  bucket.description = text_at(body, "description");
  return influx_answer(201, bucket_json(bucket));
}

HttpResponse InfluxDb::get_bucket(const Caller& caller, const Request&, const std::string& id) {
  const auto found = buckets_.find(influx_id(id));
  if (found == buckets_.end()) throw InfluxError("not found", "bucket not found");
  const InfluxBucket& bucket = found->second;
  if (bucket.system) {
    require(caller, {"read", "orgs", bucket.org, ""});
  } else {
    require(caller, {"read", "buckets", bucket.id, bucket.org});
  }
  return influx_answer(200, bucket_json(bucket));
}

// ?org= takes a name or an id, ?orgID= an id.
InfluxOrg& InfluxDb::org_of_request(const HttpRequest& request) {
  const std::string name = influx_param(request, "org");
  std::string id = influx_id_param(request, "orgID");
  if (id.empty() && orgs_.contains(name)) id = name;
  if (!id.empty()) {
    const auto found = orgs_.find(id);
    if (found == orgs_.end()) throw InfluxError("not found", "organization not found");
    return found->second;
  }
  InfluxOrg* found = org_named(name);
  if (!found) throw no_org_named(name);
  return *found;
}

// Points are not kept: what matters is who may write.
HttpResponse InfluxDb::write(const Caller& caller, const Request& request, const std::string&) {
  const std::string wanted = influx_param(request, "bucket");
  if (wanted.empty()) throw InfluxError("not found", "bucket not found");
  const InfluxOrg& org = org_of_request(request);
  const InfluxBucket* bucket = nullptr;
  for (const auto& [id, candidate] : buckets_) {
    if (candidate.org == org.id && (id == wanted || candidate.name == wanted)) bucket = &candidate;
  }
  if (!bucket) throw no_bucket_named(wanted);
  if (!allowed(caller, {"write", "buckets", bucket->id, org.id})) {
    throw InfluxError("forbidden", std::string("insufficient permissions for write") +
                                       (caller.usable ? "" : ": token is inactive"));
  }
  return influx_no_content();
}

// `buckets()` as CSV; `from(bucket: "…")` as an empty result. Flux beyond that is not understood.
HttpResponse InfluxDb::query(const Caller& caller, const Request& request, const std::string&) {
  const InfluxOrg* found = nullptr;
  try {
    found = &org_of_request(request);
  } catch (const InfluxError& error) {
    throw InfluxError("invalid", "failed to decode request body: " + error.message);
  }
  const InfluxOrg& org = *found;
  const std::string content_type = request.header("content-type");
  const std::string flux = content_type.starts_with("application/vnd.flux")
                               ? request.body
                               : text_at(Json::parse(request.body), "query");
  constexpr std::string_view kFrom = "from(bucket:";
  HttpResponse out{200, "text/csv; charset=utf-8", "\r\n", {}};
  if (const std::size_t from = flux.find(kFrom); from != std::string::npos) {
    const std::size_t start = flux.find('"', from + kFrom.size());
    const std::size_t end = start == std::string::npos ? start : flux.find('"', start + 1);
    if (end == std::string::npos) throw InfluxError("invalid", "loc 0:0-0:0: no bucket named");
    const std::string name = flux.substr(start + 1, end - start - 1);
    for (const auto& [id, bucket] : buckets_) {
      if (bucket.org == org.id && bucket.name == name &&
          allowed(caller, {"read", "buckets", id, org.id})) {
        return out;
      }
    }
    throw InfluxError("not found",
                      "failed to initialize execute state: could not find bucket \"" + name + "\"");
  }
  if (trim(flux) != "buckets()") throw InfluxError("invalid", "the sandbox knows no such Flux");
  std::string rows;
  std::size_t count = 0;
  for (const auto& [id, bucket] : buckets_) {
    if (bucket.org != org.id || !may_see(caller, bucket)) continue;
    rows += ",,0," + bucket.name + "," + id + "," + org.id + ",," +
            std::to_string(bucket.retention_seconds * 1'000'000'000) + "\r\n";
    ++count;
  }
  if (count == 0) throw InfluxError("not found", "no buckets found in organization " + org.id);
  out.body =
      ",result,table,name,id,organizationID,retentionPolicy,retentionPeriod\r\n" + rows + "\r\n";
  return out;
}

}  // namespace keyturn::sandbox
