#include "lib/base/text.h"

#include <gtest/gtest.h>

#include "lib/base/rng.h"

namespace keyturn {
namespace {

TEST(Trim, DropsAsciiWhiteSpaceAtBothEnds) {
  EXPECT_EQ(trim(" \t\r\n a b \v\f"), "a b");
  EXPECT_EQ(trim(" \n "), "");
  EXPECT_EQ(trim(""), "");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), std::vector<std::string>{""});
  EXPECT_EQ(join(split("x/y//", '/'), "/"), "x/y//");
  EXPECT_EQ(join({}, ", "), "");
}

TEST(Ascii, ComparesAndLowersLettersOnly) {
  EXPECT_TRUE(iequals_ascii("Content-TYPE", "content-type"));
  EXPECT_FALSE(iequals_ascii("abc", "abcd"));
  EXPECT_FALSE(iequals_ascii("[", "{"));  // differ by the bit that tells cases of letters apart
  EXPECT_EQ(lower_ascii("ÄBC@[Z"), "Äbc@[z");
}

// RFC 4648 §10.
TEST(Base64, EncodesTheVectorsOfTheRfc) {
  const std::vector<std::pair<std::string, std::string>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64(plain), encoded);
    const auto decoded = base64_decode(encoded);
    ASSERT_TRUE(decoded.ok()) << encoded;
    EXPECT_EQ(*decoded, plain);
  }
}

TEST(Base64, UrlFormHasItsOwnAlphabetAndNoPadding) {
  EXPECT_EQ(base64("\xfb\xff\xfe"), "+//+");
  EXPECT_EQ(base64url(as_bytes_of("\xfb\xff\xfe")), "-__-");
  EXPECT_EQ(base64url(as_bytes_of("f")), "Zg");
}

TEST(Base64, RoundTripsAnyBytes) {
  SeededRng rng(1);
  for (std::size_t size = 0; size < 70; ++size) {
    std::string bytes(size, '\0');
    rng.fill(std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    const auto decoded = base64_decode(base64(bytes));
    ASSERT_TRUE(decoded.ok()) << size;
    EXPECT_EQ(*decoded, bytes);
  }
}

TEST(Base64, RefusesWhatNoEncoderWrites) {
  for (const char* text : {"Zg", "Zg=", "Z===", "====", "Zm9v\n",
                           "Zm 9v===", "Zh==", "Zm9=", "Zg==Zg==", "-__-", "Zm9v=", "=Zm9"}) {
    const auto decoded = base64_decode(text);
    ASSERT_FALSE(decoded.ok()) << text;
    EXPECT_EQ(decoded.error().code, "BadBase64");
    EXPECT_EQ(decoded.error().message.find("Zg"), std::string::npos) << "may be a secret";
  }
}

TEST(Hex, IsLowerCase) {
  EXPECT_EQ(hex(as_bytes_of(std::string_view("\x00\x9f\xff", 3))), "009fff");
}

TEST(UrlEncode, KeepsOnlyUnreservedCharacters) {
  EXPECT_EQ(url_encode("AZaz09-_.~"), "AZaz09-_.~");
  EXPECT_EQ(url_encode("a b+c/d%ä"), "a%20b%2Bc%2Fd%25%C3%A4");
  EXPECT_EQ(url_encode(std::string_view("\0", 1)), "%00");
}

TEST(Glob, StarStopsAtSlashAndDoubleStarDoesNot) {
  EXPECT_TRUE(glob_match("shop/*", "shop/orders"));
  EXPECT_FALSE(glob_match("shop/*", "shop/orders/db"));
  EXPECT_TRUE(glob_match("shop/**", "shop/orders/db"));
  EXPECT_TRUE(glob_match("shop/*", "shop/"));
  EXPECT_FALSE(glob_match("shop/*", "shop"));
  EXPECT_FALSE(glob_match("shop/*", "xshop/a"));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_FALSE(glob_match("*", "a/b"));
  EXPECT_TRUE(glob_match("**", "a/b/c"));
  EXPECT_TRUE(glob_match("**/db", "a/b/db"));
  EXPECT_FALSE(glob_match("**/db", "db"));
  EXPECT_TRUE(glob_match("team-*", "team-a"));
  EXPECT_TRUE(glob_match("a*b*c", "axxbyyc"));
  EXPECT_FALSE(glob_match("a*b*c", "axxbyy"));
  EXPECT_TRUE(glob_match("arn:aws:elasticache:*:*:user:shop-*",
                         "arn:aws:elasticache:eu-west-1:123:user:shop-x"));
}

TEST(Glob, EverythingElseIsLiteral) {
  EXPECT_TRUE(glob_match("a?[b].c", "a?[b].c"));
  EXPECT_FALSE(glob_match("a?c", "abc"));
  EXPECT_FALSE(glob_match("a.c", "abc"));
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("", "a"));
}

// Against the definition, on every pair of short strings.
bool glob_by_definition(std::string_view p, std::string_view t) {
  if (p.empty()) return t.empty();
  if (p[0] != '*')
    return !t.empty() && t[0] == p[0] && glob_by_definition(p.substr(1), t.substr(1));
  const bool crosses = p.size() > 1 && p[1] == '*';
  const std::string_view rest = p.substr(crosses ? 2 : 1);
  for (std::size_t n = 0; n <= t.size(); ++n) {
    if (n > 0 && !crosses && t[n - 1] == '/') return false;
    if (glob_by_definition(rest, t.substr(n))) return true;
  }
  return false;
}

std::vector<std::string> all_texts(std::string_view alphabet, std::size_t longest) {
  std::vector<std::string> all = {""};
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].size() == longest) break;
    for (const char c : alphabet) all.push_back(all[i] + c);
  }
  return all;
}

TEST(Glob, AgreesWithItsDefinition) {
  for (const std::string& pattern : all_texts("a/*", 5)) {
    for (const std::string& text : all_texts("a/", 5)) {
      ASSERT_EQ(glob_match(pattern, text), glob_by_definition(pattern, text))
          << pattern << " on " << text;
    }
  }
}

TEST(Glob, ManyStarsTakePolynomialTime) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(2000, 'a')));
}

TEST(Utf8, AcceptsTheEdgesOfEachLength) {
  for (const char* text :
       {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text)) << hex(as_bytes_of(text));
  }
  EXPECT_TRUE(is_utf8(std::string_view("a\0b", 3)));
}

TEST(Utf8, RefusesOverlongSurrogatesAndCutCharacters) {
  for (const char* text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc2", "\xe2\x82", "\xf0\x9f\x98",
        "\xc2"
        "a",
        "\xff"}) {
    EXPECT_FALSE(is_utf8(text)) << hex(as_bytes_of(text));
  }
}

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("a\x1b[31m\n\x7f"), "a\\x1b[31m\\x0a\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "0m"),
            "\\xc2\\x9b0m");  // C1: CSI in one character
  EXPECT_EQ(printable("\xff ok ä €"), "\\xff ok ä €");
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("äää", 4), "ää…");
  EXPECT_EQ(printable("äää", 5), "ää…");
  EXPECT_EQ(printable("äää", 6), "äää");
  EXPECT_EQ(printable("\n\n", 7), "\\x0a…");
}

}  // namespace
}  // namespace keyturn
