#include "tests/sandbox/kube_api.h"

#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/discovery.h"
#include "tests/sandbox/event_rules.h"
#include "tests/sandbox/kube_watch.h"
#include "tests/sandbox/openapi.h"
#include "tests/sandbox/selectors.h"
#include "tests/sandbox/table.h"

namespace keyturn::sandbox {
namespace {

Call call_of(const HttpRequest& request, const KubeRequest& kube) {
  if (!kube.resource_path) return {"kubernetes", lower_ascii(request.method), request.path, "", ""};
  const std::string resource =
      kube.subresource.empty() ? kube.plural : kube.plural + "/" + kube.subresource;
  return {"kubernetes", kube.verb, resource, kube.ns, kube.name};
}

HttpResponse ordered_error(const Fault& fault) {
  std::string reason = fault.code;
  if (reason.empty()) {
    switch (fault.status) {
      case 401:
        reason = "Unauthorized";
        break;
      case 403:
        reason = "Forbidden";
        break;
      case 404:
        reason = "NotFound";
        break;
      case 409:
        reason = "Conflict";
        break;
      case 410:
        reason = "Expired";
        break;
      case 429:
        reason = "TooManyRequests";
        break;
      case 503:
        reason = "ServiceUnavailable";
        break;
      case 504:
        reason = "Timeout";
        break;
      default:
        reason = "InternalError";
    }
  }
  ApiError error(fault.status, reason,
                 fault.message.empty() ? "ordered by the sandbox" : fault.message);
  if (fault.retry_after > 0) error.retry_after_seconds = fault.retry_after;
  return status_response(error);
}

bool is_open_path(const std::string& path) {
  return path == "/healthz" || path == "/livez" || path == "/readyz" || path == "/version" ||
         path.starts_with("/healthz/") || path.starts_with("/livez/") ||
         path.starts_with("/readyz/");
}

}  // namespace

HttpResponse status_response(const ApiError& error) {
  HttpResponse out;
  out.status = error.code;
  out.body = error.status().dump() + "\n";
  if (error.retry_after_seconds && error.code == 429) {
    out.headers.emplace_back("Retry-After", std::to_string(*error.retry_after_seconds));
  }
  return out;
}

KubeApi::KubeApi(ObjectStore& store, Registry& registry, ObjectWriter& writer, Auth& auth,
                 ServiceFront& front, const Clock& clock)
    : store_(store),
      registry_(registry),
      writer_(writer),
      auth_(auth),
      front_(front),
      clock_(clock) {}

void KubeApi::expire_continue_tokens() { ++token_epoch_; }

void KubeApi::authorize(const HttpRequest& request, const KubeRequest& kube) const {
  if (is_open_path(request.path)) return;
  const std::optional<User> user = auth_.authenticate(request);
  if (!user) throw unauthorized();
  if (!kube.resource_path || kube.group == "authorization.k8s.io") return;
  if (auth_.allowed(*user, kube)) return;
  std::string plural = kube.group.empty() ? kube.plural : kube.plural + "." + kube.group;
  std::string resource = kube.plural;
  if (!kube.subresource.empty()) resource += "/" + kube.subresource;
  const std::string where =
      kube.ns.empty() ? "at the cluster scope" : "in the namespace \"" + kube.ns + "\"";
  throw forbidden(plural, kube.name,
                  "User \"" + user->name + "\" cannot " +
                      (kube.verb == "apply" ? "patch" : kube.verb) + " resource \"" + resource +
                      "\" in API group \"" + kube.group + "\" " + where);
}

void KubeApi::handle(const HttpRequest& request, HttpExchange& exchange) {
  const KubeRequest kube = parse_kube_request(request, registry_);
  const Call call = call_of(request, kube);
  if (kube.resource && kube.verb == "watch") {
    front_.run_stream(call, exchange, ordered_error, [&](const std::optional<Fault>& fault) {
      try {
        authorize(request, kube);
        KubeWatch watch(store_, kube, request, clock_, bookmark_interval_.load());
        return watch.run(exchange, fault);
      } catch (const ApiError& error) {
        const HttpResponse response = status_response(error);
        exchange.reply(response);
        return response.status;
      }
    });
    return;
  }
  front_.run(call, exchange, ordered_error, [&] {
    try {
      authorize(request, kube);
      return process(request, kube);
    } catch (const ApiError& error) {
      return status_response(error);
    } catch (const Json::exception& error) {
      return status_response(
          bad_request(std::string("the object provided is unrecognized: ") + error.what()));
    }
  });
}

HttpResponse KubeApi::nonresource(const HttpRequest& request) {
  if (is_open_path(request.path) && request.path != "/version")
    return {200, "text/plain; charset=utf-8", "ok", {}};
  if (auto found = discovery_answer(request, registry_)) return *found;
  if (auto found = openapi_answer(request, registry_)) return *found;
  throw no_such_path();
}

HttpResponse KubeApi::process(const HttpRequest& request, const KubeRequest& kube) {
  if (!kube.resource_path) return nonresource(request);
  if (kube.group == "authorization.k8s.io" && kube.plural == "selfsubjectaccessreviews")
    return review_access(request);
  if (!kube.resource) throw no_such_path();
  if (kube.verb == "get") return read_one(request, kube);
  if (kube.verb == "list") return read_list(request, kube);
  if (kube.verb == "delete") return remove_one(request, kube);
  if (kube.verb == "deletecollection") return remove_many(request, kube);
  if (kube.verb.empty()) throw method_not_allowed(kube.resource->qualified());
  return write(request, kube);
}

HttpResponse KubeApi::answer(const ObjectPtr& object, int status, const HttpRequest& request,
                             const Resource& resource) {
  const bool convert = resource.group == "events.k8s.io";
  switch (negotiate(request, resource)) {
    case AnswerForm::Metadata:
      return {status, "application/json", object->metadata_text() + "\n", {}};
    case AnswerForm::Table:
      return {status,
              "application/json",
              make_table(resource, {object}, request, clock_.now(),
                         std::to_string(object->revision()), Json()),
              {}};
    case AnswerForm::Full:
      break;
  }
  return {status,
          "application/json",
          (convert ? to_events_v1(object->doc()).dump() : object->text()) + "\n",
          {}};
}

HttpResponse KubeApi::read_one(const HttpRequest& request, const KubeRequest& kube) {
  if (!kube.subresource.empty() && !(kube.subresource == "status" && kube.resource->status))
    throw no_such_path();
  if (const auto version = request.param("resourceVersion");
      version && *version != "0" && !version->empty()) {
    const std::uint64_t wanted = std::strtoull(version->c_str(), nullptr, 10);
    if (wanted > store_.revision())
      throw too_large_version(*version, std::to_string(store_.revision()));
  }
  const ObjectPtr object = store_.get(kube.resource->storage(), kube.ns, kube.name);
  if (!object) throw not_found(kube.resource->qualified(), kube.name);
  return answer(object, 200, request, *kube.resource);
}

HttpResponse KubeApi::create_token(const HttpRequest& request, const KubeRequest& kube) {
  if (!store_.get("serviceaccounts", kube.ns, kube.name))
    throw not_found("serviceaccounts", kube.name);
  Json body = parse_body(request);
  std::vector<std::string> audiences;
  for (const Json& audience : at(body, "spec", "audiences"))
    audiences.push_back(audience.get<std::string>());
  if (audiences.empty()) audiences.push_back("https://kubernetes.default.svc");
  const Json& asked = at(body, "spec", "expirationSeconds");
  const std::int64_t seconds = asked.is_number() ? asked.get<std::int64_t>() : 3600;
  if (seconds < 600) {
    throw invalid_object("TokenRequest.authentication.k8s.io", "",
                         {{"FieldValueInvalid",
                           "Invalid value: " + std::to_string(seconds) +
                               ": may not specify a duration less than 10 minutes",
                           "spec.expirationSeconds"}});
  }
  body["apiVersion"] = "authentication.k8s.io/v1";
  body["kind"] = "TokenRequest";
  body["metadata"] = {{"name", kube.name},
                      {"namespace", kube.ns},
                      {"creationTimestamp", format_rfc3339(clock_.now())}};
  body["spec"]["audiences"] = audiences;
  body["spec"]["expirationSeconds"] = seconds;
  body["status"] = {
      {"token", auth_.issue(kube.ns, kube.name, audiences, seconds)},
      {"expirationTimestamp", format_rfc3339(clock_.now() + std::chrono::seconds(seconds))}};
  return {201, "application/json", body.dump() + "\n", {}};
}

HttpResponse KubeApi::review_access(const HttpRequest& request) {
  Json body = parse_body(request);
  const Json& asked = at(body, "spec", "resourceAttributes");
  KubeRequest kube;
  kube.resource_path = true;
  kube.group = text_at(asked, "group");
  kube.plural = text_at(asked, "resource");
  kube.subresource = text_at(asked, "subresource");
  kube.verb = text_at(asked, "verb");
  kube.ns = text_at(asked, "namespace");
  kube.name = text_at(asked, "name");
  body["status"] = {{"allowed", auth_.allowed(auth_.authenticate(request).value(), kube)}};
  return {201, "application/json", body.dump() + "\n", {}};
}

}  // namespace keyturn::sandbox
