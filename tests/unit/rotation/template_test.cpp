#include "controller/rotation/template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace keyturn::rotation {
namespace {

using namespace std::string_literals;
using engine::Document;

constexpr std::string_view kSecret =
    R"({"username":"ann","password":"p@ss/w\"ord é\u0000","port":5432,"on":true,"none":null,"hosts":[{"name":"a.b"},"second"],"tls.crt":"CERT","o":{"k": [1, "x"]},"previous":"P","my-key_2":"dash","5":"five"})";

Document doc(std::string_view text) { return Document::parse(SecretString(text)); }

std::string render(std::string_view text, std::string_view current = kSecret,
                   const char* previous = nullptr) {
  auto parsed = Template::parse(text);
  if (!parsed) return "parse: " + parsed.error().message;
  std::optional<Document> before;
  if (previous != nullptr) before = doc(previous);
  auto out = parsed->render(doc(current), before ? &*before : nullptr);
  if (!out) {
    EXPECT_EQ(out.error().cls, ErrorClass::Invalid);
    EXPECT_EQ(out.error().code, "TemplateFailed");
    return "render: " + out.error().message;
  }
  return std::string(out->reveal());
}

std::string problem(std::string_view text) {
  auto parsed = Template::parse(text);
  if (parsed.ok()) return "";
  EXPECT_EQ(parsed.error().cls, ErrorClass::Invalid);
  EXPECT_EQ(parsed.error().code, "BadTemplate");
  return parsed.error().message;
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

// ---- paths ----

TEST(TemplatePath, FieldsNamesAndElements) {
  EXPECT_EQ(render("{{ username }}"), "ann");
  EXPECT_EQ(render("{{username}}"), "ann");
  EXPECT_EQ(render("{{\n\tusername\n}}"), "ann");
  EXPECT_EQ(render("{{ hosts[0].name }}"), "a.b");
  EXPECT_EQ(render("{{ hosts[ 1 ] }}"), "second");
  EXPECT_EQ(render("{{ hosts.1 }}"), "second");
  EXPECT_EQ(render(R"({{ ["tls.crt"] }})"), "CERT");
  EXPECT_EQ(render(R"({{ o["k"][1] }})"), "x");
  EXPECT_EQ(render("{{ o['k'][0] }}"), "1");
  EXPECT_EQ(render("{{ my-key_2 }}"), "dash");
  EXPECT_EQ(render("{{ 5 }}"), "five");
  EXPECT_EQ(render(R"({{ ["a/~b\"c"] }})", R"({"a/~b\"c":"odd"})"), "odd");
}

TEST(TemplatePath, OtherTypesAsWritten) {
  EXPECT_EQ(render("{{ port }}/{{ on }}/{{ none }}/{{ o }}"), R"(5432/true/null/{"k": [1, "x"]})");
}

TEST(TemplatePath, ABareStringIsValue) {
  EXPECT_EQ(render("key={{ value }}", "hunter2"), "key=hunter2");
  EXPECT_EQ(render("{{ value | json }}", "a\"b"), R"("a\"b")");
  EXPECT_EQ(render("{{ value }}", R"({"value":"a field"})"), "a field");
  EXPECT_EQ(render("{{ value }}", "[1,2]"), "[1,2]");
  EXPECT_EQ(render("{{ password }}", "hunter2").find("hunter2"), std::string::npos);
  EXPECT_NE(render("{{ password }}", "hunter2").find("{{ value }} is all there is"),
            std::string::npos);
  EXPECT_TRUE(render("{{ value.x }}", "hunter2").starts_with("render: "));
}

TEST(TemplatePath, Previous) {
  EXPECT_EQ(render("{{ previous.token }}|{{ token }}", R"({"token":"new"})", R"({"token":"old"})"),
            "old|new");
  EXPECT_EQ(render("{{ previous.value }}", "new", "old"), "old");
  EXPECT_EQ(render(R"({{ previous["tls.crt"] }})", "{}", R"({"tls.crt":"C"})"), "C");
  EXPECT_EQ(render("{{ previous[0] }}", "{}", R"({"0":"zero"})"), "zero");
  EXPECT_EQ(render(R"({{ ["previous"] }})"), "P");
  EXPECT_EQ(render("{{ o.previous }}", R"({"o":{"previous":"inner"}})"), "inner");
}

TEST(TemplatePath, WithoutAPreviousVersionTheCurrentOneStandsIn) {
  EXPECT_EQ(render("{{ previous.token }}|{{ token }}", R"({"token":"new"})"), "new|new");
}

// ---- filters and literals ----

TEST(TemplateFilter, Each) {
  EXPECT_EQ(render("{{ password | urlencode }}"), "p%40ss%2Fw%22ord%20%C3%A9%00");
  EXPECT_EQ(render("{{ username | b64enc }}"), "YW5u");
  EXPECT_EQ(render("{{ password|json }}"), R"("p@ss/w\"ord é\u0000")");
  EXPECT_EQ(render("{{ port | json }}-{{ o | json }}-{{ none | json }}"),
            R"(5432-{"k": [1, "x"]}-null)");
  EXPECT_EQ(render("{{ previous.a | urlencode }}", "{}", R"({"a":"/"})"), "%2F");
}

TEST(TemplateFilter, ChainsGoFromLeftToRight) {
  EXPECT_EQ(render("{{ username | b64enc | json }}"), R"("YW5u")");
  EXPECT_EQ(render("{{ hosts[1] | json | urlencode }}"), "%22second%22");
  EXPECT_EQ(render("{{ port | b64enc | urlencode }}", R"({"port":12})"), "MTI%3D");
}

TEST(TemplateFilter, JsonFitsIntoJson) {
  const std::string text = render(
      R"({"user":{{ username | json }},"password":{{ password | json }},"port":{{ port }}})");
  const auto parsed = nlohmann::json::parse(text);
  EXPECT_EQ(parsed["password"].get<std::string>(), "p@ss/w\"ord é\0"s);
  EXPECT_EQ(parsed["port"], 5432);
}

TEST(TemplateLiteral, TextAndBraces) {
  EXPECT_EQ(render(""), "");
  EXPECT_EQ(render("plain { } }} é\n"), "plain { } }} é\n");
  EXPECT_EQ(render(R"({{ "{{" }} username {{ '}}' }})"), "{{ username }}");
  EXPECT_EQ(render(R"({{ "a\"b\\c" }}{{ 'd"e\'' }})"), "a\"b\\cd\"e'");
  EXPECT_EQ(render("{{{ username }}}"),
            "parse: column 3: a field's name must be here, as in {{ password }}; names with other "
            "characters are written [\"my name\"]");
  EXPECT_EQ(render("{ {{ username }} }"), "{ ann }");
  EXPECT_EQ(render("postgres://{{ username | urlencode }}@{{ hosts[0].name }}:{{ port }}/"),
            "postgres://ann@a.b:5432/");
}

TEST(TemplateLiteral, AValueIsNeverReadAsATemplate) {
  EXPECT_EQ(render("{{ a }}", R"({"a":"{{ b }}","b":"x"})"), "{{ b }}");
}

// ---- what it reads ----

TEST(TemplateFields, AreListed) {
  const auto parsed = Template::parse("x {{ a.b[0] }} {{ \"lit\" }} {{ previous.c | json }}");
  ASSERT_TRUE(parsed.ok());
  const auto fields = parsed->fields();
  ASSERT_EQ(fields.size(), 2u);
  EXPECT_EQ(fields[0]->pointer.text(), "/a/b/0");
  EXPECT_FALSE(fields[0]->previous);
  EXPECT_EQ(fields[1]->pointer.text(), "/c");
  EXPECT_TRUE(fields[1]->previous);
  EXPECT_TRUE(parsed->needs_previous());
  EXPECT_FALSE(Template::parse("{{ a }} {{ o.previous }} {{ 'previous.x' }}")->needs_previous());
}

// ---- mistakes ----

struct Mistake {
  const char* text;
  const char* message;  // its start
};

TEST(TemplateMistakes, SayWhereAndWhatToDo) {
  const std::vector<Mistake> mistakes = {
      {"ab {{ token", "column 4: {{ is never closed; to write two braces, put {{ \"{{\" }}"},
      {"{{", "column 1: {{ is never closed"},
      {"{{ ", "column 1: {{ is never closed"},
      {"{{ a |", "column 7: a filter must follow the |"},
      {"{{ }}", "column 4: a field's name must be here"},
      {"{{ .token }}", "column 4: a path has no leading dot; write {{ token }}, not {{ .token }}"},
      {"{{- token }}", "column 3: a field's name must be here"},
      {"{{ a. }}", "column 6: a name must follow the dot"},
      {"{{ a..b }}", "column 6: a name must follow the dot"},
      {"{{ a b }}", "column 6: here must be a filter (| urlencode) or the closing }}"},
      {"{{ a } }", "column 6: here must be a filter"},
      {"{{ a | urlencod }}",
       "column 8: unknown filter \"urlencod\"; did you mean urlencode? (filters: urlencode, "
       "b64enc, json)"},
      {"{{ a | base64 }}", "column 8: unknown filter \"base64\" (filters"},
      {"{{ a || json }}", "column 7: a filter must follow the |"},
      {"{{ a[x] }}", "column 6: brackets hold an array index or a name in quotes"},
      {"{{ a[01] }}", "column 6: brackets hold"},
      {"{{ a[-1] }}", "column 6: brackets hold"},
      {"{{ a[0 }}", "column 8: a ] must be here"},
      {"{{ a[", "column 6: brackets hold"},
      {"{{ a[\"b }}", "column 6: this quote is never closed"},
      {"{{ \"b }}", "column 4: this quote is never closed"},
      {"{{ 'b\\", "column 4: this quote is never closed"},
      {"{{ \"a\\n\" }}", "column 6: a backslash must be followed by"},
      {"{{ \"a\" | json }}", "column 8: here must be a filter (| urlencode) or the closing }}"},
      {"{{ previous }}", "column 4: say what of the previous value"},
      {"{{ lookup(\"v1\") }}", "column 10: here must be a filter"},
      {"é{{ $x }}", "column 5: a field's name must be here"},
      {"one\ntwo {{ a b }}", "line 2, column 10: here must be"},
      {"{{ a|json|json|json|json|json|json|json|json|json }}", "column 46: more than 8 filters"},
  };
  for (const Mistake& one : mistakes) {
    EXPECT_TRUE(problem(one.text).starts_with(one.message)) << one.text << "\n"
                                                            << problem(one.text);
  }
}

TEST(TemplateMistakes, MissingFieldsAreErrorsThatShowNoValue) {
  const std::string missing = render("url={{ pasword | urlencode }}");
  EXPECT_TRUE(missing.starts_with(
      "render: column 5, {{ pasword }}: field /pasword is not in the secret's value"))
      << missing;
  EXPECT_EQ(missing.find("ann"), std::string::npos);
  EXPECT_TRUE(render("{{ previous.b }}", R"({"b":1})", R"({"a":1})")
                  .starts_with("render: column 1, {{ previous.b }}: field /b"))
      << render("{{ previous.b }}", R"({"b":1})", R"({"a":1})");
  EXPECT_NE(render("{{ a }}", R"({"a":"hunter2","a":"x"})").find("stands more than once"),
            std::string::npos);
  EXPECT_TRUE(render("{{ hosts[9].name }}").starts_with("render: "));
}

TEST(TemplateLimits, MoreThanASecretHoldsIsRefused) {
  const std::string current = R"({"a":")" + std::string(65'000, 'x') + "\"}";
  const std::string text = repeated("{{ a }}", 16);
  EXPECT_EQ(render(text, current).size(), 16u * 65'000);
  EXPECT_NE(render(text + "{{ a }}", current).find("longer than 1 MiB"), std::string::npos);
  // quotes and backslashes double with each json
  EXPECT_NE(render("{{ a|json|json|json|json|json|json }}",
                   R"({"a":")" + repeated("\\\"", 30'000) + "\"}")
                .find("longer than 1 MiB"),
            std::string::npos);
  EXPECT_NE(problem("{{ a" + repeated(".a", 32) + " }}").find("more than 32 steps"),
            std::string::npos);
  EXPECT_EQ(problem("{{ a" + repeated(".a", 31) + " }}"), "");
}

}  // namespace
}  // namespace keyturn::rotation
