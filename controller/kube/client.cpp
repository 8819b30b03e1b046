#include "controller/kube/client.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "controller/kube/json_access.h"
#include "controller/kube/list_scanner.h"
#include "controller/kube/status.h"
#include "lib/base/log.h"
#include "lib/base/secret_string.h"
#include "lib/base/text.h"
#include "lib/http/line_splitter.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

// The API server takes objects of up to 3 MiB; a watch line holds one object and a few words.
constexpr std::size_t kMaxObjectBytes = 16u << 20;
constexpr Duration kWatchGrace{5'000};

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kMetadata =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
constexpr std::string_view kMetadataList =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

void add_query(std::string& query, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  if (!query.empty()) query += '&';
  query.append(name).append("=").append(url_encode(value));
}

std::string list_query(const ListOptions& options) {
  std::string query;
  add_query(query, "labelSelector", options.label_selector);
  add_query(query, "fieldSelector", options.field_selector);
  add_query(query, "resourceVersion", options.resource_version);
  add_query(query, "resourceVersionMatch", options.resource_version_match);
  add_query(query, "continue", options.continue_token);
  if (options.limit > 0) add_query(query, "limit", std::to_string(options.limit));
  return query;
}

// Secrets and tokens must not stay behind in our buffers.
bool holds_secrets(const ResourceType& type, std::string_view subresource, bool metadata_only) {
  return (type.plural == kSecrets.plural && type.group.empty() && !metadata_only) ||
         subresource == "token";
}

Result<std::string> dump(const json& object) {
  try {
    return object.dump();
  } catch (const json::exception&) {  // only invalid UTF-8 makes dump() throw
    return invalid("NotUtf8", "the object holds text that is not valid UTF-8");
  }
}

// A server (or a webhook of the cluster) may quote what it refuses; no value may come back in an
// error text (I5). Plain values of one to three bytes are not looked for: any text holds them.
void withhold_values(Error& error, const json& object) {
  for (const std::string_view field : {"data", "stringData"}) {
    const json* values = member(object, field);
    if (values == nullptr || !values->is_object()) continue;
    for (const auto& [key, value] : values->items()) {
      if (!value.is_string()) continue;
      const std::string& text = value.get_ref<const std::string&>();
      auto decoded = base64_decode(text);
      const bool quoted =
          (text.size() > 3 && error.message.find(text) != std::string::npos) ||
          (decoded && decoded->size() > 3 && error.message.find(*decoded) != std::string::npos);
      if (decoded) cleanse(*decoded);
      if (!quoted) continue;
      cleanse(error.message);
      error.message = "the server's message is withheld: it quotes a value of key \"" + key + "\"";
      return;
    }
  }
}

}  // namespace

void cleanse_json(json& object) noexcept {
  if (object.is_string()) {
    cleanse(object.get_ref<std::string&>());
  } else if (object.is_structured()) {
    for (json& child : object) cleanse_json(child);
  }
}

struct Client::Call {
  std::string_view verb;       // as RBAC names it: a server-side apply is a patch
  std::string resource;        // "secrets", "rotationpolicies/status"
  std::string object;          // "shop/orders", "shop/" for a collection
  std::string target;          // path and query
  const json* sent = nullptr;  // what request.body says, for a sensitive one
  http::Request request;

  Call(std::string_view v, const ResourceType& type, std::string_view ns, std::string_view name,
       std::string_view subresource = {}, std::string_view query = {})
      : verb(v), resource(type.plural), object(object_key(ns, name)) {
    if (!subresource.empty()) resource.append("/").append(subresource);
    target = type.path(ns, name, subresource);
    if (!query.empty()) target.append("?").append(query);
    accept(kJson);
  }
  ~Call() {
    if (request.sensitive) cleanse(request.body);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Call& method(std::string_view m) {
    request.method = m;
    return *this;
  }
  Call& accept(std::string_view type) {
    request.headers.clear();
    request.headers.emplace_back("Accept", type);
    return *this;
  }
  Call& sensitive(bool yes) {
    request.sensitive = yes;
    return *this;
  }
  std::string describe() const {
    return std::string(verb) + " " + resource + (object.empty() ? "" : " " + object);
  }
};

Client::Client(std::shared_ptr<http::Transport> transport, std::shared_ptr<Connection> connection,
               Clock& clock, RequestObserver* observer)
    : transport_(std::move(transport)),
      connection_(std::move(connection)),
      clock_(&clock),
      observer_(observer) {}

Client Client::with_timeout(Duration timeout, std::stop_token stop) const {
  Client copy = *this;
  copy.timeout_ = timeout;
  copy.stop_ = std::move(stop);
  return copy;
}

// What a person can do about it belongs into the message.
Error Client::explain(const Call& call, const Access& access, Error error) const {
  if (error.code == "Tls") {
    error.message +=
        " (the server's certificate was checked against " + connection_->ca_origin() + ")";
  } else if (error.code == "Unauthorized") {
    error.message += ": the API server did not accept " + connection_->credentials_origin() +
                     "; it is wrong, expired or revoked: get a new one";
  }
  return std::move(error).with_context(call.describe() + " at " + access.server);
}

Result<http::Response> Client::attempt(const Call& call, const Access& access,
                                       const OnData* on_data) {
  const MonoTime started = clock_->mono();
  auto reply = on_data != nullptr ? transport_->stream(call.request, *on_data)
                                  : transport_->send(call.request);
  if (observer_ != nullptr) {
    observer_->on_request(call.verb, call.resource, reply ? reply->status : 0,
                          clock_->mono() - started);
  }
  if (!reply) return explain(call, access, std::move(reply).error());
  if (reply->status >= 200 && reply->status < 300) return reply;
  return explain(call, access, error_from_reply(*reply, clock_->now()));
}

Result<http::Response> Client::exchange(Call& call, const OnData* on_data) {
  std::optional<Access> before;
  for (;;) {
    auto access = connection_->access();
    if (!access) return std::move(access).error().with_context(call.describe());
    // A retry makes sense only with other credentials than those refused.
    if (before && before->bearer_token == access->bearer_token && before->tls == access->tls) {
      return explain(call, *access,
                     make_error(ErrorClass::Denied, "Unauthorized", "HTTP status 401"));
    }
    call.request.url = access->server + call.target;
    call.request.tls = access->tls;
    call.request.proxy = access->proxy;
    const bool token = !access->bearer_token.empty();
    const bool sensitive = call.request.sensitive;
    if (token) {
      std::string value = "Bearer ";
      value.reserve(value.size() + access->bearer_token.size());  // no copy left behind by growth
      value += access->bearer_token.reveal();
      call.request.headers.emplace_back("Authorization", std::move(value));
      call.request.sensitive = true;
    }
    auto reply = attempt(call, *access, on_data);
    if (token) {
      cleanse(call.request.headers.back().second);
      call.request.headers.pop_back();
      call.request.sensitive = sensitive;
    }
    if (reply || reply.error().code != "Unauthorized") return reply;
    connection_->unauthorized();
    if (before) return reply;
    before = *std::move(access);
  }
}

Result<json> Client::request(Call& call) {
  call.request.timeout = timeout_;
  call.request.stop = stop_;
  auto reply = exchange(call, nullptr);
  if (!reply) {
    Error error = std::move(reply).error();
    if (call.request.sensitive && call.sent != nullptr) withhold_values(error, *call.sent);
    return error;
  }
  json body = json::parse(reply->body, nullptr, /*allow_exceptions=*/false);
  if (call.request.sensitive) cleanse(reply->body);
  if (!body.is_object()) {
    return make_error(ErrorClass::Transient, "MalformedReply",
                      call.describe() + ": the reply is not a JSON object");
  }
  return body;
}

Result<json> Client::get(const ResourceType& type, std::string_view ns, std::string_view name,
                         bool metadata_only) {
  Call call("get", type, ns, name);
  call.accept(metadata_only ? kMetadata : kJson).sensitive(holds_secrets(type, "", metadata_only));
  return request(call);
}

Result<json> Client::list(const ResourceType& type, std::string_view ns,
                          const ListOptions& options) {
  Call call("list", type, ns, {}, {}, list_query(options));
  call.accept(options.metadata_only ? kMetadataList : kJson)
      .sensitive(holds_secrets(type, "", options.metadata_only));
  return request(call);
}

Result<ListMeta> Client::list_each(const ResourceType& type, std::string_view ns,
                                   const ListOptions& options, std::stop_token stop,
                                   const std::function<Status(const json&)>& on_item) {
  Call call("list", type, ns, {}, {}, list_query(options));
  call.accept(options.metadata_only ? kMetadataList : kJson)
      .sensitive(holds_secrets(type, "", options.metadata_only));
  call.request.timeout = timeout_;
  call.request.stop = std::move(stop);
  call.request.max_reply_bytes = 0;  // never held as a whole

  ListScanner scanner(kMaxObjectBytes);
  Status failed;
  const auto on_text = [&](std::string_view text) -> Status {
    json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (object.is_discarded()) return invalid("MalformedList", "an object is not valid JSON");
    return on_item(object);
  };
  const OnData on_data = [&](std::string_view chunk) {
    failed = scanner.feed(chunk, on_text);
    return failed.ok();
  };
  auto reply = exchange(call, &on_data);
  if (!reply) return std::move(reply).error();
  if (!failed) return std::move(failed).error().with_context(call.describe());
  auto rest = scanner.finish();
  if (!rest) return std::move(rest).error().with_context(call.describe());
  const json list = json::parse(*rest, nullptr, /*allow_exceptions=*/false);
  const json* metadata = member(list, "metadata");
  if (metadata == nullptr) {
    return make_error(ErrorClass::Transient, "MalformedReply",
                      call.describe() + ": the reply is not a list object");
  }
  return ListMeta{std::string(string_at(*metadata, "resourceVersion")),
                  std::string(string_at(*metadata, "continue"))};
}

Result<json> Client::create(const ResourceType& type, std::string_view ns, const json& object,
                            std::string_view subresource, std::string_view name) {
  std::string query;
  add_query(query, "fieldManager", kFieldManager);
  Call call("create", type, ns, name, subresource, query);
  auto body = dump(object);
  if (!body) return std::move(body).error().with_context(call.describe());
  call.method("POST").sensitive(holds_secrets(type, subresource, false));
  call.request.body = *std::move(body);
  call.sent = &object;
  call.request.headers.emplace_back("Content-Type", kJson);
  return request(call);
}

Result<json> Client::update(const ResourceType& type, std::string_view ns, std::string_view name,
                            const json& object) {
  std::string query;
  add_query(query, "fieldManager", kFieldManager);
  Call call("update", type, ns, name, {}, query);
  auto body = dump(object);
  if (!body) return std::move(body).error().with_context(call.describe());
  call.method("PUT").sensitive(holds_secrets(type, "", false));
  call.request.body = *std::move(body);
  call.sent = &object;
  call.request.headers.emplace_back("Content-Type", kJson);
  return request(call);
}

Result<json> Client::patch(Call& call, const json& body, std::string_view content_type) {
  auto text = dump(body);
  if (!text) return std::move(text).error().with_context(call.describe());
  call.method("PATCH");
  call.request.body = *std::move(text);
  call.sent = &body;
  call.request.headers.emplace_back("Content-Type", content_type);
  return request(call);
}

Result<json> Client::apply(const ResourceType& type, std::string_view ns, const json& object,
                           const ApplyOptions& options) {
  const json* metadata = member(object, "metadata");
  const std::string name(metadata == nullptr ? std::string_view() : string_at(*metadata, "name"));
  if (name.empty()) return invalid("MissingName", "apply: the object has no metadata.name");
  std::string query;
  add_query(query, "fieldManager", kFieldManager);
  add_query(query, "force", options.force ? "true" : "false");
  Call call("patch", type, ns, name, options.subresource, query);
  call.accept(options.metadata_only_reply ? kMetadata : kJson)
      .sensitive(options.sensitive || holds_secrets(type, options.subresource, false));
  return patch(call, object, "application/apply-patch+yaml");
}

Result<json> Client::merge_patch(const ResourceType& type, std::string_view ns,
                                 std::string_view name, const json& body,
                                 std::string_view subresource) {
  std::string query;
  add_query(query, "fieldManager", kFieldManager);
  Call call("patch", type, ns, name, subresource, query);
  call.sensitive(holds_secrets(type, subresource, false));
  return patch(call, body, "application/merge-patch+json");
}

Status Client::remove(const ResourceType& type, std::string_view ns, std::string_view name,
                      std::string_view uid, std::string_view resource_version) {
  Call call("delete", type, ns, name);
  call.method("DELETE");
  // Some servers answer with the object: a Secret's data would come along.
  call.sensitive(holds_secrets(type, "", false));
  json options = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (!uid.empty()) options["preconditions"]["uid"] = uid;
  if (!resource_version.empty()) options["preconditions"]["resourceVersion"] = resource_version;
  call.request.body = options.dump();
  call.request.headers.emplace_back("Content-Type", kJson);
  call.request.timeout = timeout_;
  call.request.stop = stop_;
  auto reply = exchange(call, nullptr);
  if (!reply) return std::move(reply).error();
  if (call.request.sensitive) cleanse(reply->body);
  return {};
}

Status Client::watch(const ResourceType& type, std::string_view ns, std::string_view query,
                     bool metadata_only, int timeout_seconds, std::stop_token stop,
                     const std::function<bool(std::string_view)>& on_line) {
  Call call("watch", type, ns, {}, {}, query);
  call.accept(metadata_only ? kMetadata : kJson).sensitive(holds_secrets(type, "", metadata_only));
  call.request.timeout = std::chrono::seconds(timeout_seconds) + kWatchGrace;
  call.request.stop = std::move(stop);
  call.request.max_reply_bytes = 0;

  http::LineSplitter lines(kMaxObjectBytes);
  Status failed;
  bool enough = false;
  const auto take = [&](std::string_view line) { return !(enough = !on_line(line)); };
  const OnData on_data = [&](std::string_view chunk) {
    failed = lines.feed(chunk, take);
    return failed.ok() && !enough;
  };
  auto reply = exchange(call, &on_data);
  if (!reply) return std::move(reply).error();
  if (!failed) return std::move(failed).error().with_context(call.describe());
  if (!enough && lines.pending() > 0) {
    log::debug("watch ended inside a line", {{"resource", call.resource}});
  }
  return {};
}

}  // namespace keyturn::kube
