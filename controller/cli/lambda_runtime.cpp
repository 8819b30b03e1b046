#include "controller/cli/lambda_runtime.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "lib/base/text.h"

namespace keyturn::cli {
namespace {

constexpr Duration kReportTimeout{5'000};
constexpr int kAccepted = 202;

std::optional<WallTime> epoch_millis(const std::string* text) {
  if (text == nullptr) return std::nullopt;
  std::int64_t millis = 0;
  const char* end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, millis);
  if (read.ec != std::errc() || read.ptr != end || millis <= 0) return std::nullopt;
  return WallTime(Duration(millis));
}

Error refused(const std::string& what, const http::Response& reply) {
  return make_error(ErrorClass::Transient, "RuntimeRefused",
                    "Lambda's runtime endpoint answered " + what + " with " +
                        std::to_string(reply.status) + ": " + printable(reply.body));
}

// A code may be what a server said.
std::string type_of(const Error& error) {
  const bool plain =
      !error.code.empty() && error.code.size() <= 100 &&
      std::all_of(error.code.begin(), error.code.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      });
  return plain ? error.code : std::string(to_string(error.cls));
}

std::string error_body(const Error& error) {
  return nlohmann::json{{"errorMessage", error.message},
                        {"errorType", type_of(error)},
                        {"stackTrace", nlohmann::json::array()}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Result<Invocation> LambdaRuntime::next() {
  http::Request request;
  request.url = base_ + "invocation/next";
  request.timeout = Duration::max();
  request.proxy = http::kNoProxy;
  request.sensitive = true;
  auto reply = transport_->send(request);
  if (!reply) return std::move(reply).error().with_context(request.url);
  if (reply->status != 200) return refused("next", *reply);
  const std::string* id = http::find_header(reply->headers, "Lambda-Runtime-Aws-Request-Id");
  const auto deadline =
      epoch_millis(http::find_header(reply->headers, "Lambda-Runtime-Deadline-Ms"));
  if (id == nullptr || id->empty() || !deadline)
    return make_error(ErrorClass::Transient, "RuntimeRefused",
                      "Lambda's runtime endpoint gave an invocation without "
                      "Lambda-Runtime-Aws-Request-Id or Lambda-Runtime-Deadline-Ms");
  return Invocation{*id, SecretString::take(std::move(reply->body)), *deadline};
}

Status LambdaRuntime::succeeded(const std::string& id, const std::string& json) {
  return post("invocation/" + url_encode(id) + "/response", json, "");
}

Status LambdaRuntime::failed(const std::string& id, const Error& error) {
  return post("invocation/" + url_encode(id) + "/error", error_body(error), type_of(error));
}

Status LambdaRuntime::failed_to_start(const Error& error) {
  return post("init/error", error_body(error), type_of(error));
}

Status LambdaRuntime::post(const std::string& path, std::string body,
                           const std::string& error_type) {
  http::Request request;
  request.method = "POST";
  request.url = base_ + path;
  request.timeout = kReportTimeout;
  request.proxy = http::kNoProxy;
  request.headers = {{"Content-Type", "application/json"}};
  if (!error_type.empty())
    request.headers.emplace_back("Lambda-Runtime-Function-Error-Type", "Keyturn." + error_type);
  request.body = std::move(body);
  auto reply = transport_->send(request);
  if (!reply) return std::move(reply).error().with_context(request.url);
  if (reply->status != kAccepted) return refused(path, *reply);
  return {};
}

}  // namespace keyturn::cli
