#include "tests/sandbox/kube_list.h"

#include <algorithm>
#include <charconv>

#include "lib/base/text.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/selectors.h"

namespace keyturn::sandbox {
namespace {

std::uint64_t number(const std::string& text, const char* what) {
  std::uint64_t out = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    throw bad_request("Invalid value: \"" + printable(text) + "\": " + what + " must be a number");
  }
  return out;
}

struct Token {
  std::uint64_t revision = 0, epoch = 0;
  std::string after;
};

std::string encode(const Token& token) {
  const Json json = {{"v", "meta.k8s.io/v1"},
                     {"rv", token.revision},
                     {"epoch", token.epoch},
                     {"start", token.after}};
  return base64url(as_bytes_of(json.dump()));
}

Token decode(std::string text) {
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  while (text.size() % 4 != 0) text += '=';
  const auto raw = base64_decode(text);
  const Json json = raw ? Json::parse(*raw, nullptr, false) : Json();
  if (!json.is_object()) throw bad_request("continue key is not valid: incorrect format");
  return {json.value("rv", std::uint64_t{0}), json.value("epoch", std::uint64_t{0}),
          json.value("start", "")};
}

ApiError token_expired() {
  return expired(
      "The provided continue parameter is too old to display a consistent list result. You can "
      "start a new list "
      "without the continue parameter, or use the continue token in this response to retrieve the "
      "remainder of the "
      "results.");
}

struct Query {
  std::size_t limit = 0;
  Token token;
  bool continues = false;
  std::optional<std::uint64_t> exact;
};

Query parse(const HttpRequest& request, const ObjectStore& store, std::uint64_t token_epoch) {
  Query out;
  const std::string limit = request.param("limit").value_or("");
  if (!limit.empty()) out.limit = number(limit, "limit");
  const std::string token = request.param("continue").value_or("");
  const std::string version = request.param("resourceVersion").value_or("");
  const std::string match = request.param("resourceVersionMatch").value_or("");
  const auto refuse = [](const std::string& why) {
    return invalid_object("ListOptions.meta.k8s.io", "",
                          {{"FieldValueForbidden", "Forbidden: " + why, "resourceVersionMatch"}});
  };
  if (!match.empty() && match != "Exact" && match != "NotOlderThan") {
    throw refuse("supported values: \"Exact\", \"NotOlderThan\", \"\"");
  }
  if (!match.empty() && version.empty())
    throw refuse("resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (match == "Exact" && version == "0")
    throw refuse("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  if (!token.empty()) {
    if (!match.empty()) throw refuse("resourceVersionMatch is forbidden when continue is provided");
    if (!version.empty() && version != "0") {
      throw bad_request("specifying resource version is not allowed when using continue");
    }
    out.token = decode(token);
    out.continues = true;
    if (out.token.epoch != token_epoch) throw token_expired();
    out.exact = out.token.revision;
    return out;
  }
  out.token.epoch = token_epoch;
  if (version.empty()) return out;
  const std::uint64_t wanted = number(version, "resourceVersion");
  if (wanted > store.revision()) throw too_large_version(version, std::to_string(store.revision()));
  // Without a match rule, a version with a limit means exactly that version; without, at least
  // that.
  if (wanted != 0 && (match == "Exact" || (match.empty() && out.limit != 0))) out.exact = wanted;
  // "0" is answered from the watch cache, which knows no pages.
  if (wanted == 0) out.limit = 0;
  return out;
}

}  // namespace

void check_field_paths(const Resource& resource, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    bool known = path == "metadata.name" || path == "metadata.namespace";
    const std::string storage = resource.storage();
    if (storage == "secrets") known = known || path == "type";
    if (storage == "pods") known = known || path == "status.phase" || path == "spec.nodeName";
    if (storage == "namespaces") known = known || path == "status.phase";
    if (storage == "events") {
      known = known || path == "reason" || path == "type" || path == "reportingComponent" ||
              path == "source" || path.starts_with("involvedObject.") ||
              path.starts_with("regarding.");
    }
    if (!known) {
      throw bad_request("Unable to find \"" + resource.api_version() +
                        ", Resource=" + resource.plural +
                        "\" that match field selector: field label not supported: " + path);
    }
  }
}

ListResult list_objects(const ObjectStore& store, const KubeRequest& kube,
                        const HttpRequest& request, std::uint64_t token_epoch) {
  const LabelSelector labels = LabelSelector::parse(request.param("labelSelector").value_or(""));
  const FieldSelector fields = FieldSelector::parse(request.param("fieldSelector").value_or(""));
  check_field_paths(*kube.resource, fields.paths());
  const Query query = parse(request, store, token_epoch);
  const bool selective = !labels.empty() || !fields.empty();
  ListResult out;
  std::string after = query.token.after;
  std::optional<std::uint64_t> revision = query.exact;
  for (;;) {
    auto page = store.list(kube.resource->storage(), kube.ns, after, query.limit, revision);
    if (!page) {
      if (query.continues) throw token_expired();
      throw expired("The resourceVersion for the provided list is too old.");
    }
    out.revision = page->revision;
    revision = page->revision;  // all rounds look at one moment
    after = page->last_key;
    bool full = false;
    for (ObjectPtr& object : page->objects) {
      if (selective && !(labels.matches(object->doc()) && fields.matches(object->doc()))) continue;
      after = object->ns.empty() ? object->name : object->ns + "/" + object->name;
      out.objects.push_back(std::move(object));
      if (query.limit != 0 && out.objects.size() == query.limit) {
        full = true;
        break;
      }
    }
    const bool more = page->more || (full && !page->objects.empty() && after != page->last_key);
    if (full || !page->more) {
      if (more && full) {
        out.continue_token = encode({out.revision, query.token.epoch, after});
        if (!selective) out.remaining = page->remaining;
      }
      return out;
    }
  }
}

}  // namespace keyturn::sandbox
