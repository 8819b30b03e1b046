#include "lib/engine/document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lib/base/rng.h"
#include "lib/engine/json_text.h"

namespace keyturn::engine {
namespace {

using namespace std::string_literals;

Document doc(std::string_view text) { return Document::parse(SecretString(text)); }

std::string got(const Document& document, std::string_view pointer) {
  auto value = document.get(pointer);
  return value ? std::string(value->reveal()) : value.error().code;
}

std::string replaced(std::string_view text, std::string_view pointer, std::string_view value) {
  auto result = doc(text).with_string(pointer, SecretString(value));
  return result ? std::string(result->text().reveal()) : result.error().code;
}

// ---- what is an object, what is a bare string ----

TEST(DocumentParse, ObjectsAreObjects) {
  for (const char* text :
       {"{}", " {\n} ", R"({"a":1})", R"({"a":{"b":[1,2.5e-3,true,false,null,"x"]},"c":-0})"}) {
    EXPECT_TRUE(doc(text).is_object()) << text;
    EXPECT_EQ(doc(text).why_bare(), "") << text;
    EXPECT_EQ(doc(text).text().reveal(), text);
  }
}

TEST(DocumentParse, EverythingElseIsABareStringKeptAsItIs) {
  const std::vector<std::string> bare = {"",
                                         "hunter2",
                                         "null",
                                         "42",
                                         R"("quoted")",
                                         "[1,2]",
                                         "{",
                                         "}",
                                         "{]",
                                         R"({"a":1}})",
                                         R"({"a":1} x)",
                                         R"({'a':1})",
                                         R"({a:1})",
                                         R"({"a":1,})",
                                         R"({"a" 1})",
                                         R"({"a":01})",
                                         R"({"a":.5})",
                                         R"({"a":1.})",
                                         R"({"a":+1})",
                                         R"({"a":1e})",
                                         R"({"a":-})",
                                         R"({"a":NaN})",
                                         R"({"a":tru})",
                                         R"({"a":[1,]})",
                                         R"({"a":[1 2]})",
                                         R"({"a":"x)",
                                         R"({"a":"\x"})",
                                         R"({"a":"\u12g4"})",
                                         R"({"a":"\u12)",
                                         "{\"a\":\"line\nbreak\"}",
                                         "{\"a\":\"nul\0\"}"s,
                                         "\xEF\xBB\xBF{}",
                                         "{\"a\":\"\xFF\"}",
                                         "{\"a\":\"\xED\xA0\x80\"}",
                                         "{\"a\":\"\xC0\x80\"}",
                                         R"({"a":"\ud800"})",
                                         R"({"a":"\ud800x"})",
                                         R"({"a":"\ud800\u0041"})",
                                         R"({"a":"\udc00"})",
                                         R"({"\ud800":1})",
                                         "{}\0"s,
                                         "{\f}",
                                         "{\"a\":1,\v}"};
  for (const std::string& text : bare) {
    const Document document = doc(text);
    EXPECT_FALSE(document.is_object()) << text;
    EXPECT_NE(document.why_bare(), "") << text;
    EXPECT_EQ(document.text().reveal(), text);
    EXPECT_TRUE(document.keys().empty()) << text;
    EXPECT_EQ(got(document, "/a"), "NotAnObject") << text;
  }
}

TEST(DocumentParse, SaysWhereAndWhyButNeverWhat) {
  const auto error = doc(R"({"password":"hunter2", oops})").get("/password").error();
  EXPECT_EQ(error.cls, ErrorClass::Invalid);
  EXPECT_NE(error.message.find("byte 23: a field name in double quotes"), std::string::npos)
      << error.message;
  EXPECT_NE(error.message.find("/password"), std::string::npos);
  EXPECT_EQ(error.message.find("hunter2"), std::string::npos);
  EXPECT_EQ(error.message.find("oops"), std::string::npos);
}

TEST(DocumentParse, DepthIsBounded) {
  const auto nested = [](int levels) {
    return "{\"a\":" + std::string(static_cast<std::size_t>(levels) - 1, '[') +
           std::string(static_cast<std::size_t>(levels) - 1, ']') + "}";
  };
  EXPECT_TRUE(doc(nested(json_text::kMaxDepth)).is_object());
  EXPECT_FALSE(doc(nested(json_text::kMaxDepth + 1)).is_object());
  EXPECT_FALSE(doc(nested(1'000'000)).is_object());  // and no stack is used up
}

// The scanner accepts exactly what an independent parser accepts, on random mutations of a
// document.
TEST(DocumentParse, AgreesWithAnotherParser) {
  const std::string seed =
      R"( {"a" : [1, -2.50e+3, "x\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é", {}, [], {"b":null}], "c":true , "d":false})";
  const std::string alphabet = "{}[]\",:\\ue0123.-+ \nx\x01\xC3\xA9";
  SeededRng rng(7);
  int accepted = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string text = seed;
    for (std::uint64_t edits = rng.below(4); edits > 0; --edits) {
      const std::size_t at = rng.below(text.size());
      const char c = alphabet[rng.below(alphabet.size())];
      switch (rng.below(3)) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.insert(text.begin() + static_cast<std::ptrdiff_t>(at), c);
          break;
        default:
          text.erase(at, 1);
      }
    }
    const bool expected = nlohmann::json::accept(text);
    ASSERT_EQ(!json_text::check(text).has_value(), expected) << text;
    accepted += expected;
  }
  EXPECT_GT(accepted, 600);
  EXPECT_LT(accepted, 5400);
}

// ---- reading ----

TEST(DocumentGet, FieldsByPointer) {
  const Document document = doc(
      R"({"a":"x","b":{"c":["p",{"d":"q"}]},"e/f":"slash","g~h":"tilde","":"empty","5":"five"})");
  EXPECT_EQ(got(document, "/a"), "x");
  EXPECT_EQ(got(document, "/b/c/0"), "p");
  EXPECT_EQ(got(document, "/b/c/1/d"), "q");
  EXPECT_EQ(got(document, "/e~1f"), "slash");
  EXPECT_EQ(got(document, "/g~0h"), "tilde");
  EXPECT_EQ(got(document, "/"), "empty");
  EXPECT_EQ(got(document, "/5"), "five");
}

TEST(DocumentGet, NonStringsAsWritten) {
  const Document document =
      doc(R"({"n":5432,"f":1.50e+2,"t":true,"z":null,"o":{ "k" : 1 },"l":[1, 2]})");
  EXPECT_EQ(got(document, "/n"), "5432");
  EXPECT_EQ(got(document, "/f"), "1.50e+2");
  EXPECT_EQ(got(document, "/t"), "true");
  EXPECT_EQ(got(document, "/z"), "null");
  EXPECT_EQ(got(document, "/o"), R"({ "k" : 1 })");
  EXPECT_EQ(got(document, "/l"), "[1, 2]");
  EXPECT_EQ(got(document, ""), document.text().reveal());
}

TEST(DocumentGet, WhatIsNotThere) {
  const Document document = doc(R"({"a":"x","l":["p"],"o":{}})");
  for (const char* pointer : {"/A", "/b", "/a/x", "/a/0", "/l/1", "/l/-", "/l/00", "/l/+0", "/l/x",
                              "/l/", "/l/99999999999999999999", "/o/k", "//"}) {
    EXPECT_EQ(got(document, pointer), "NoSuchField") << pointer;
  }
  EXPECT_EQ(document.get("/b").error().cls, ErrorClass::NotFound);
  EXPECT_NE(document.get("/b").error().message.find("/b"), std::string::npos);
}

TEST(DocumentGet, MalformedPointers) {
  for (const char* pointer : {"a", "a/b", "/a~", "/a~2", "/~/x", " /a"})
    EXPECT_EQ(got(doc("{}"), pointer), "BadPointer") << pointer;
}

TEST(DocumentGet, EscapesAreDecoded) {
  const Document document =
      doc(R"({"k\u0065y":"a\"b\\c\/d\b\f\n\r\t\u0000\u00e9\u20AC\ud83d\uDE00é€😀"})");
  EXPECT_EQ(got(document, "/key"), "a\"b\\c/d\b\f\n\r\t\0é€😀é€😀"s);
  EXPECT_EQ(document.keys(), std::vector<std::string>{"key"});
}

TEST(DocumentGet, DecodingAgreesWithAnotherParser) {
  const std::string text =
      R"({"a":"\ud800\udc00 \udbff\udfff \u0800 \uffff \u07ff \u0080 \u007f \u001f"})";
  EXPECT_EQ(got(doc(text), "/a"), nlohmann::json::parse(text)["a"].get<std::string>());
}

TEST(DocumentGet, DuplicatesAreRefusedOnlyWhenHit) {
  const Document document = doc(R"({"a":"1","b":{"c":1,"\u0063":2},"a":"2","d":"ok"})");
  EXPECT_EQ(got(document, "/a"), "DuplicateField");
  EXPECT_EQ(got(document, "/b/c"), "DuplicateField");
  EXPECT_EQ(got(document, "/d"), "ok");
  EXPECT_EQ(replaced(document.text().reveal(), "/a", "x"), "DuplicateField");
  EXPECT_EQ(document.keys(), (std::vector<std::string>{"a", "b", "d"}));
}

TEST(DocumentGet, JsonTextKeepsTheWritersForm) {
  const Document document = doc(R"({"a":"\u0041\/","n": 1.0 })");
  EXPECT_EQ(document.get_json(*Pointer::parse("/a"))->reveal(), R"("\u0041\/")");
  EXPECT_EQ(document.get_json(*Pointer::parse("/n"))->reveal(), "1.0");
}

// ---- replacing ----

TEST(DocumentReplace, EveryOtherByteStays) {
  EXPECT_EQ(replaced("{ \"b\" : 1.0e2,\n\t\"key\":\"old\" , \"u\":\"\\u00e9\\/\", \"a\":[ ] }\n",
                     "/key", "new"),
            "{ \"b\" : 1.0e2,\n\t\"key\":\"new\" , \"u\":\"\\u00e9\\/\", \"a\":[ ] }\n");
  EXPECT_EQ(replaced(R"({"l":["a","b","c"]})", "/l/1", "B"), R"({"l":["a","B","c"]})");
  EXPECT_EQ(replaced(R"({"o":{"x":{"y":null}}})", "/o/x/y", ""), R"({"o":{"x":{"y":""}}})");
  EXPECT_EQ(replaced(R"({"n":12,"t":true})", "/n", "s"), R"({"n":"s","t":true})");
}

TEST(DocumentReplace, AnyUnicodeComesBack) {
  const std::string value = "NUL\0 quote\" back\\ tab\t nl\n \x1f \x7f é€😀 </script>"s;
  const auto next = doc(R"({"a":"x","b":"y"})").with_string("/a", SecretString(value));
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(got(*next, "/a"), value);
  EXPECT_EQ(got(*next, "/b"), "y");
  EXPECT_EQ(nlohmann::json::parse(next->text().reveal())["a"].get<std::string>(), value);
  EXPECT_TRUE(doc(next->text().reveal()).is_object());
}

TEST(DocumentReplace, Refusals) {
  EXPECT_EQ(replaced(R"({"a":1})", "/b", "x"), "NoSuchField");
  EXPECT_EQ(replaced(R"({"a":{}})", "/a", "x"), "NotAScalar");
  EXPECT_EQ(replaced(R"({"a":[]})", "/a", "x"), "NotAScalar");
  EXPECT_EQ(replaced(R"({"a":[]})", "", "x"), "NotAScalar");
  EXPECT_EQ(replaced("bare", "/a", "x"), "NotAnObject");
  EXPECT_EQ(replaced(R"({"a":1})", "/a", "\xFF"), "NotUnicode");
}

TEST(DocumentMember, IsReplacedOrAddedAtTheEnd) {
  const auto with = [](std::string_view text, const char* value = "v") {
    auto result = doc(text).with_member("n", SecretString(value));
    return result ? std::string(result->text().reveal()) : result.error().code;
  };
  EXPECT_EQ(with("{}"), R"({"n": "v"})");
  EXPECT_EQ(with(" { } "), R"( {"n": "v" } )");
  EXPECT_EQ(with(R"({"a":1})"), R"({"a":1,"n": "v"})");
  EXPECT_EQ(with("{\n  \"a\": [1, {}],\n  \"b\": 2\n}\n"),
            "{\n  \"a\": [1, {}],\n  \"b\": 2,\n  \"n\": \"v\"\n}\n");
  EXPECT_EQ(with(R"({"n" : 7,"b":2})"), R"({"n" : "v","b":2})");
  EXPECT_EQ(with("{}", "a\"b\n"), R"({"n": "a\"b\n"})");
  EXPECT_EQ(with("{}", "\xff"), "NotUnicode");
  EXPECT_EQ(with(R"({"n":{}})"), "NotAScalar");
  EXPECT_EQ(with(R"({"n":1,"n":2})"), "DuplicateField");
  EXPECT_EQ(with("bare"), "NotAnObject");
}

TEST(DocumentCopy, TakesTheFieldAsWrittenThere) {
  const auto next =
      doc(R"({"a": "1", "b": 2})").with_copy(*Pointer::parse("/a"), doc(R"({"b":9,"a":"\u0041"})"));
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->text().reveal(), R"({"a": "\u0041", "b": 2})");
  EXPECT_EQ(doc(R"({"a":1})").with_copy(*Pointer::parse("/a"), doc("{}")).error().code,
            "NoSuchField");
  EXPECT_EQ(doc(R"({"a":1})").with_copy(*Pointer::parse("/a"), doc("x")).error().code,
            "NotAnObject");
}

TEST(Pointer, TextRoundTripsAndCovers) {
  const Pointer pointer = *Pointer::parse("/a~1b/~0/0/");
  EXPECT_EQ(pointer.tokens(), (std::vector<std::string>{"a/b", "~", "0", ""}));
  EXPECT_EQ(pointer.text(), "/a~1b/~0/0/");
  EXPECT_TRUE(Pointer::parse("/a")->covers(*Pointer::parse("/a/b")));
  EXPECT_TRUE(Pointer::parse("/a")->covers(*Pointer::parse("/a")));
  EXPECT_FALSE(Pointer::parse("/a")->covers(*Pointer::parse("/ab")));
  EXPECT_FALSE(Pointer::parse("/a/b")->covers(*Pointer::parse("/a")));
}

}  // namespace
}  // namespace keyturn::engine
