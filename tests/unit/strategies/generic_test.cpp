#include "lib/engine/strategies/generic.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "lib/base/text.h"
#include "lib/base/uuid.h"
#include "lib/engine/document.h"
#include "lib/engine/strategies/registry.h"

namespace keyturn::engine {
namespace {

using nlohmann::json;

std::unique_ptr<Strategy> generic(std::string_view options) {
  auto made = make_strategy("generic", options);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return made.ok() ? std::move(made).value() : nullptr;
}

class GenericTest : public ::testing::Test {
 protected:
  Result<SecretString> create(std::string_view options, std::string_view current) {
    StepContext ctx;
    ctx.arn = "arn:aws:secretsmanager:eu-west-1:1:secret:a";
    ctx.rng = &rng_;
    return generic(options)->create(ctx, SecretString(current));
  }
  std::string value(std::string_view options, std::string_view current) {
    auto made = create(options, current);
    return made ? std::string(made->reveal()) : made.error().code;
  }
  std::string problem(std::string_view options, std::string_view current) {
    const auto made = create(options, current);
    if (made.ok()) return "created";
    EXPECT_EQ(made.error().cls, ErrorClass::Invalid) << made.error().message;
    return made.error().code + ": " + made.error().message;
  }

  SeededRng rng_{1};
};

// ---- what is replaced, and what is kept ----

TEST_F(GenericTest, DefaultIs32BytesAsBase64ForTheWholeString) {
  const std::string made = value("{}", "old");
  EXPECT_EQ(made.size(), 44u);
  const auto bytes = base64_decode(made);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes->size(), 32u);
  EXPECT_NE(made, value("{}", "old"));
  EXPECT_EQ(value("{}", "").size(), 44u);       // a secret that has no value yet
  EXPECT_EQ(value("{}", "[1,2]").size(), 44u);  // a bare string, as it is no object
}

TEST_F(GenericTest, AWholeStringMayHaveAnyFormat) {
  EXPECT_EQ(value(R"({"fields":[{"format":"hex","bytes":8}]})", "old").size(), 16u);
  EXPECT_EQ(value(R"({"fields":[{"pointer":"","format":"password","length":20}]})", "old").size(),
            20u);
}

TEST_F(GenericTest, FieldsAreReplacedAndTheRestKeptByteForByte) {
  const std::string current =
      "{ \"b\":1.0, \"key\" : \"old\",\n \"nested\":{\"list\":[\"x\",\"y\"]}, \"u\":\"\\u00e9\" }";
  const std::string made = value(
      R"({"fields":[{"pointer":"/key","format":"uuid"},{"pointer":"/nested/list/1","format":"hex","bytes":8}]})",
      current);
  const Document document = Document::parse(SecretString(made));
  const std::string key(document.get("/key")->reveal()),
      element(document.get("/nested/list/1")->reveal());
  EXPECT_TRUE(is_uuid(key));
  EXPECT_EQ(element.size(), 16u);
  EXPECT_EQ(made, "{ \"b\":1.0, \"key\" : \"" + key + "\",\n \"nested\":{\"list\":[\"x\",\"" +
                      element + "\"]}, \"u\":\"\\u00e9\" }");
}

TEST_F(GenericTest, Formats) {
  const auto one = [&](const std::string& format) {
    return value(R"({"fields":[{"format":")" + format + "\"}]}", "old");
  };
  EXPECT_EQ(one("base64").find_first_not_of(
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="),
            std::string::npos);
  EXPECT_EQ(one("base64url").size(), 43u);
  EXPECT_EQ(one("base64url").find_first_of("+/="), std::string::npos);
  EXPECT_EQ(one("hex").size(), 64u);
  EXPECT_EQ(one("hex").find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_TRUE(is_uuid(one("uuid")));
  EXPECT_EQ(one("password").size(), 32u);
}

TEST_F(GenericTest, KeyPairsFillBothFields) {
  for (const char* format : {R"("ed25519")", R"("rsa","bits":2048)"}) {
    const std::string made =
        value(R"({"fields":[{"pointer":"/private","publicPointer":"/public","format":)" +
                  std::string(format) + "}]}",
              R"({"private":"","keep":[1], "public":null})");
    const Document document = Document::parse(SecretString(made));
    EXPECT_TRUE(document.get("/private")->reveal().starts_with("-----BEGIN PRIVATE KEY-----\n"))
        << format;
    EXPECT_TRUE(document.get("/public")->reveal().starts_with("-----BEGIN PUBLIC KEY-----\n"))
        << format;
    EXPECT_NE(made.find(R"("keep":[1], "public")"), std::string::npos);
  }
}

// ---- values it cannot work on ----

TEST_F(GenericTest, AnObjectIsNotOverwritten) {
  EXPECT_TRUE(problem("{}", R"({"apiKey":"hunter2"})").starts_with("ObjectNeedsFields"));
  EXPECT_EQ(problem("{}", R"({"apiKey":"hunter2"})").find("hunter2"), std::string::npos);
}

TEST_F(GenericTest, ValuesThatDoNotFitTheFields) {
  const char* options = R"({"fields":[{"pointer":"/apiKey"}]})";
  EXPECT_TRUE(problem(options, "hunter2").starts_with("NotAnObject"));
  EXPECT_TRUE(problem(options, R"({"apiKey":"hunter2",})").starts_with("NotAnObject"));
  EXPECT_TRUE(problem(options, R"({"apikey":"hunter2"})").starts_with("NoSuchField"));
  EXPECT_TRUE(problem(options, R"({"apiKey":{"x":"hunter2"}})").starts_with("NotAScalar"));
  EXPECT_TRUE(
      problem(options, R"({"apiKey":"hunter2","apiKey":"hunter2"})").starts_with("DuplicateField"));
  EXPECT_TRUE(problem(options, "").starts_with("NoValueYet"));
  for (const char* current :
       {"hunter2", R"({"apikey":"hunter2"})", R"({"apiKey":{"x":"hunter2"}})"}) {
    EXPECT_EQ(problem(options, current).find("hunter2"), std::string::npos);
    EXPECT_NE(problem(options, current).find("spec.strategy.generic.fields"), std::string::npos);
    EXPECT_NE(problem(options, current).find("/apiKey"), std::string::npos);
  }
  EXPECT_EQ(generic(options)->recognise(SecretString("{}")).error().code, "NoSuchField");
  EXPECT_TRUE(generic(options)->recognise(SecretString(R"({"apiKey":null})")).ok());
}

TEST_F(GenericTest, ThePublicFieldMustExistToo) {
  EXPECT_TRUE(problem(R"({"fields":[{"pointer":"/a","publicPointer":"/b","format":"ed25519"}]})",
                      R"({"a":""})")
                  .starts_with("NoSuchField"));
}

TEST_F(GenericTest, TheValueLimitOfSecretsManager) {
  const auto with_rest =
      [](std::size_t size) {  // a document that has `size` bytes once 44 characters stand in a
        const std::string frame = R"({"a":"","b":""})";
        return R"({"a":"","b":")" + std::string(size - frame.size() - 44, 'x') + "\"}";
      };
  const char* options = R"({"fields":[{"pointer":"/a"}]})";
  EXPECT_EQ(value(options, with_rest(kMaxValueBytes)).size(), kMaxValueBytes);
  const std::string text = problem(options, with_rest(kMaxValueBytes + 1));
  EXPECT_TRUE(text.starts_with("ValueTooLarge")) << text;
  EXPECT_NE(text.find("65537"), std::string::npos);
}

// ---- comparing and carrying ----

TEST_F(GenericTest, SameCredentialLooksAtItsFieldsOnly) {
  const auto strategy = generic(R"({"fields":[{"pointer":"/a"},{"pointer":"/k/b"}]})");
  const auto same = [&](std::string_view x, std::string_view y) {
    return strategy->same_credential(SecretString(x), SecretString(y));
  };
  EXPECT_TRUE(same(R"({"a":"A","k":{"b":"2"},"c":1})", R"({"c":2,"k":{"b":"2"},"a":"\u0041"})"));
  EXPECT_FALSE(same(R"({"a":"A","k":{"b":"2"}})", R"({"a":"A","k":{"b":"3"}})"));
  EXPECT_FALSE(same(R"({"a":"A"})", R"({"a":"A","c":1})"));  // not comparable
  EXPECT_TRUE(same("x", "x"));
  EXPECT_TRUE(generic("{}")->same_credential(SecretString("x"), SecretString("x")));
  EXPECT_FALSE(generic("{}")->same_credential(SecretString("x"), SecretString("y")));
}

TEST_F(GenericTest, CarryTakesTheFieldsAndLeavesTheRest) {
  const auto strategy =
      generic(R"({"fields":[{"pointer":"/a","publicPointer":"/p","format":"ed25519"}]})");
  const auto carried = strategy->carry(SecretString(R"({"p":"oldP","a":"oldA","host":"h1"})"),
                                       SecretString(R"({"host":"h2", "a":"newA", "p":"newP"})"));
  ASSERT_TRUE(carried.ok());
  EXPECT_EQ(carried->reveal(), R"({"host":"h2", "a":"oldA", "p":"oldP"})");
  EXPECT_EQ(strategy->carry(SecretString("bare"), SecretString(R"({"a":"","p":""})")).error().code,
            "NotAnObject");
  EXPECT_EQ(generic("{}")->carry(SecretString("old"), SecretString("new"))->reveal(), "old");
}

TEST_F(GenericTest, TraitsSayThatThereIsNoBackend) {
  const Traits& traits = generic("{}")->traits();
  EXPECT_EQ(traits.name, "generic");
  EXPECT_EQ(traits.backend, Backend::None);
  EXPECT_TRUE(traits.can_rollback);
  EXPECT_FALSE(traits.can_revoke);
}

}  // namespace
}  // namespace keyturn::engine
