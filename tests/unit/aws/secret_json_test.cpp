#include "lib/aws/secret_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace keyturn::aws {
namespace {

std::string cut(std::string json, const std::string& name = "S") {
  const auto out = cut_string_member(json, name);
  if (!out.ok()) return "!" + out.error().code;
  return out->has_value() ? std::string((*out)->reveal()) : "(none)";
}

TEST(CutStringMemberTest, TakesTheValueAndBlanksIt) {
  std::string json = R"({"A":"x","S":"hush","B":{"S":"inner"}})";
  const auto out = cut_string_member(json, "S");
  ASSERT_TRUE(out.ok() && out->has_value());
  EXPECT_EQ((*out)->reveal(), "hush");
  EXPECT_EQ(json, R"({"A":"x","S":"    ","B":{"S":"inner"}})");
}

TEST(CutStringMemberTest, EveryEscape) {
  EXPECT_EQ(cut(R"({"S":"\"\\\/\b\f\n\r\t"})"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(cut(R"({"S":"\u0041\u00e9\u20AC\ud83d\udd11"})"), "Aé€🔑");
  EXPECT_EQ(cut(R"({"S":"a\u0000b"})"), std::string("a\0b", 3));
  EXPECT_EQ(cut(R"({"S":""})"), "");
}

TEST(CutStringMemberTest, AbsentOrNoString) {
  EXPECT_EQ(cut("{}"), "(none)");
  EXPECT_EQ(cut(R"({"T":"S"})"), "(none)");
  EXPECT_EQ(cut(R"({"S":null})"), "(none)");
  EXPECT_EQ(cut(R"({"S": [1,{"S":"x"},"}"] , "T":{"a":"]"}, "U":-1.5e3})"), "(none)");
  EXPECT_EQ(cut(R"({"S":"first","S":"last"})"), "last");
  EXPECT_EQ(cut(R"({"S":"first","S":null})"), "(none)");
}

TEST(CutStringMemberTest, RefusesWhatIsNoObjectOrNoString) {
  for (const char* bad : {"",
                          "[]",
                          "\"S\"",
                          "{",
                          R"({"S")",
                          R"({"S":)",
                          R"({"S":"x)",
                          R"({"S":"x\)",
                          R"({"S":"x"]})",
                          R"({"S" "x"})",
                          R"({S:"x"})",
                          R"({"S":"\x"})",
                          R"({"S":"\u12"})",
                          R"({"S":"\ud800"})",
                          R"({"S":"\ud800\u0041"})",
                          R"({"S":"\udc00"})",
                          "{\"S\":\"a\nb\"}",
                          "{\"S\":\"\xff\"}",
                          R"({"S":[})",
                          R"({"T":1)"}) {
    EXPECT_EQ(cut(bad), "!BadReply") << bad;
  }
}

TEST(AppendJsonStringTest, IsReadBackByAParserWithinItsRoom) {
  std::string text;
  for (int c = 0; c < 128; ++c) text += static_cast<char>(c);
  text += "é€🔑\"\\";
  std::string out;
  append_json_string(out, text);
  EXPECT_LE(out.size(), json_string_room(text));
  EXPECT_EQ(nlohmann::json::parse(out).get<std::string>(), text);
  EXPECT_EQ(cut("{\"S\":" + out + "}"), text);
}

}  // namespace
}  // namespace keyturn::aws
