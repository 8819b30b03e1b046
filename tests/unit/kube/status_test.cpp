#include "controller/kube/status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/kube/kube_testing.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

Error decode(int code, const std::string& body, http::Headers headers = {}) {
  return error_from_reply({code, std::move(headers), body}, WallTime(Duration(0)));
}

TEST(Status, ClassesByCode) {
  const std::pair<int, ErrorClass> expected[] = {
      {400, ErrorClass::Invalid},   {401, ErrorClass::Denied},    {403, ErrorClass::Denied},
      {404, ErrorClass::NotFound},  {405, ErrorClass::Invalid},   {408, ErrorClass::Transient},
      {409, ErrorClass::Conflict},  {410, ErrorClass::Conflict},  {413, ErrorClass::Invalid},
      {415, ErrorClass::Invalid},   {422, ErrorClass::Invalid},   {429, ErrorClass::Throttled},
      {500, ErrorClass::Transient}, {503, ErrorClass::Transient}, {504, ErrorClass::Transient},
      {302, ErrorClass::Invalid}};
  for (const auto& [code, cls] : expected) {
    EXPECT_EQ(decode(code, "").cls, cls) << code;
    EXPECT_EQ(decode(code, status_json(code, "R", "m")).cls, cls) << code;
  }
}

TEST(Status, ReasonMessageAndCauses) {
  const Error error = decode(
      409,
      status_json(409, "AlreadyExists", "it is there; a: b",
                  R"({"causes":[{"field":"f","message":"a: b"},{"message":"second"},{"x":1}]})"));
  EXPECT_EQ(error.code, "AlreadyExists");
  EXPECT_EQ(error.message, "it is there; a: b; second");
}

TEST(Status, AFieldThatCannotBeChangedIsToldByTheCode) {
  const auto cause = [](const std::string& reason, const std::string& message) {
    return decode(422, status_json(422, "Invalid", "Secret s is invalid",
                                   R"({"causes":[{"field":"type","reason":")" + reason +
                                       R"(","message":")" + message + R"("}]})"));
  };
  EXPECT_EQ(cause("FieldValueInvalid", R"(Invalid value: \"Opaque\": field is immutable)").code,
            "FieldImmutable");
  EXPECT_EQ(cause("FieldValueInvalid", R"(Invalid value: \"Opaque\": too long)").code, "Invalid");
  EXPECT_EQ(cause("FieldValueForbidden", "field is immutable when `immutable` is set").code,
            "Invalid");
}

TEST(Status, RetryAfterFromHeaderOrDetails) {
  EXPECT_EQ(decode(429, "slow down", {{"Retry-After", "7"}}).retry_after, Duration(7'000));
  EXPECT_EQ(decode(503, status_json(503, "x", "m", R"({"retryAfterSeconds":3})")).retry_after,
            Duration(3'000));
  EXPECT_FALSE(decode(503, status_json(503, "x", "m", R"({"retryAfterSeconds":-3})")).retry_after);
}

TEST(Status, ExpiredInEveryForm) {
  EXPECT_TRUE(is_expired(decode(410, "")));
  EXPECT_TRUE(is_expired(decode(410, status_json(410, "Gone", "m"))));
  EXPECT_TRUE(is_expired(error_from_status(json::parse(status_json(410, "Expired", "too old")))));
  EXPECT_FALSE(is_expired(decode(409, status_json(409, "Conflict", "m"))));
}

TEST(Status, TooLargeResourceVersionByCauseOrWords) {
  EXPECT_TRUE(is_resource_version_too_large(decode(
      504, status_json(504, "Timeout", "m",
                       R"({"causes":[{"reason":"ResourceVersionTooLarge","message":"x"}]})"))));
  EXPECT_TRUE(is_resource_version_too_large(
      decode(504, status_json(504, "Timeout", "Too large resource version: 9, current: 3"))));
  EXPECT_FALSE(is_resource_version_too_large(decode(504, status_json(504, "Timeout", "m"))));
}

TEST(Status, AnyBodyWillDo) {
  EXPECT_EQ(decode(502, "<html>bad gateway").message, "HTTP status 502: <html>bad gateway");
  EXPECT_EQ(
      decode(500, R"({"kind":"Status","reason":7,"message":[],"details":"x","code":"y"})").message,
      "HTTP status 500");
  EXPECT_EQ(error_from_status(json::parse(R"({"code":18446744073709551615})")).cls,
            ErrorClass::Transient);
}

TEST(Status, LongMessagesAreCut) {
  EXPECT_LT(decode(400, status_json(400, "x", std::string(100'000, 'a'))).message.size(), 1100u);
}

}  // namespace
}  // namespace keyturn::kube
