// Typed-enough REST client of the Kubernetes API: one blocking request a call, errors from Status
// objects.
//
// Error classes: 409 Conflict/AlreadyExists → Conflict; 404 → NotFound; 401/403 → Denied;
// 400/422/405/415/413 → Invalid; 410 → Conflict with code "Expired"; 429 → Throttled (Retry-After);
// 5xx, time-outs, sockets → Transient. Error::code is Status.reason (or "ResourceVersionTooLarge",
// see status.h). A 401 makes the connection fetch new credentials and is retried once with them.
// Every request ends within the request time-out (15 s unless with_timeout()); what is tried again
// later is the caller's business.
//
// Thread rule: any thread.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <string_view>

#include "controller/kube/config.h"
#include "controller/kube/resource.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/http/transport.h"

namespace keyturn::kube {

// keyturn_kube_requests_total{verb,resource,code} and back-pressure; called per request, must not
// block.
class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  virtual void on_request(std::string_view verb, std::string_view resource, int code,
                          Duration took) = 0;
};

struct ListOptions {
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;
  std::string resource_version_match;
  std::string continue_token;
  int limit = 0;
  bool metadata_only = false;  // PartialObjectMetadataList
};

struct ApplyOptions {
  bool force = true;
  std::string subresource;           // "status"
  bool metadata_only_reply = false;  // the reply echoes no data (PartialObjectMetadata)
  bool sensitive = false;            // the body holds secret values
};

// What a list page says about itself.
struct ListMeta {
  std::string resource_version;
  std::string continue_token;  // "" on the last page
};

inline constexpr std::string_view kFieldManager = "keyturn";

// Wipes every string of an object that held secret values (a Secret that was read or is to be
// applied).
void cleanse_json(nlohmann::json& object) noexcept;

class Client {
 public:
  Client(std::shared_ptr<http::Transport> transport, std::shared_ptr<Connection> connection,
         Clock& clock, RequestObserver* observer = nullptr);

  // The same client with another deadline per request, and a token that aborts them (Unavailable
  // "Cancelled").
  Client with_timeout(Duration timeout, std::stop_token stop = {}) const;

  Result<nlohmann::json> get(const ResourceType& type, std::string_view ns, std::string_view name,
                             bool metadata_only = false);
  // One page; metadata.continue of the reply leads on.
  Result<nlohmann::json> list(const ResourceType& type, std::string_view ns,
                              const ListOptions& options);
  // One page, each object parsed on its own and handed over as it arrives: a page of any size costs
  // the memory of one object. What was handed over before an error stays handed over. An error from
  // on_item ends the page and is returned.
  Result<ListMeta> list_each(const ResourceType& type, std::string_view ns,
                             const ListOptions& options, std::stop_token stop,
                             const std::function<Status(const nlohmann::json& object)>& on_item);
  Result<nlohmann::json> create(const ResourceType& type, std::string_view ns,
                                const nlohmann::json& object, std::string_view subresource = {},
                                std::string_view name = {});
  Result<nlohmann::json> update(const ResourceType& type, std::string_view ns,
                                std::string_view name, const nlohmann::json& object);
  // Server-side apply (KEP-555) as kFieldManager. `object` must carry apiVersion, kind,
  // metadata.name. A metadata.resourceVersion makes it conditional (409 when stale; ignored when
  // the object does not exist).
  Result<nlohmann::json> apply(const ResourceType& type, std::string_view ns,
                               const nlohmann::json& object, const ApplyOptions& options = {});
  // JSON merge patch (RFC 7386).
  Result<nlohmann::json> merge_patch(const ResourceType& type, std::string_view ns,
                                     std::string_view name, const nlohmann::json& patch,
                                     std::string_view subresource = {});
  // With preconditions when given. NotFound is an error (the caller decides).
  Status remove(const ResourceType& type, std::string_view ns, std::string_view name,
                std::string_view uid = {}, std::string_view resource_version = {});

  // A watch stream: on_line gets each JSON line; ends at EOF, error, stop, or false from on_line.
  // The result says how it ended. `query` is the encoded query without '?'. Client deadline =
  // timeout_seconds + 5 s.
  Status watch(const ResourceType& type, std::string_view ns, std::string_view query,
               bool metadata_only, int timeout_seconds, std::stop_token stop,
               const std::function<bool(std::string_view)>& on_line);

  Connection& connection() { return *connection_; }

 private:
  struct Call;
  using OnData = std::function<bool(std::string_view)>;
  // Sends once, or twice around a 401; on_data: stream the body of a 2xx there.
  Result<http::Response> exchange(Call& call, const OnData* on_data);
  Result<http::Response> attempt(const Call& call, const Access& access, const OnData* on_data);
  Error explain(const Call& call, const Access& access, Error error) const;
  Result<nlohmann::json> request(Call& call);
  Result<nlohmann::json> patch(Call& call, const nlohmann::json& body,
                               std::string_view content_type);

  std::shared_ptr<http::Transport> transport_;
  std::shared_ptr<Connection> connection_;
  Clock* clock_;
  RequestObserver* observer_;
  Duration timeout_{15'000};
  std::stop_token stop_;
};

}  // namespace keyturn::kube
