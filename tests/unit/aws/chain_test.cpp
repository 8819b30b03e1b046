// Where keys come from: the default chain, web identity, assumed roles, and STS's replies.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "lib/aws/cached_provider.h"
#include "lib/aws/sts.h"
#include "lib/base/time.h"
#include "tests/unit/aws/aws_fixture.h"
#include "tests/unit/aws/temp_dir.h"

namespace keyturn::aws {
namespace {

std::string sts_reply(const std::string& operation, const std::string& id, WallTime expires) {
  return "<" + operation + "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" +
         operation +
         "Result><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser><Credentials><AccessKeyId>" + id +
         "</AccessKeyId><SecretAccessKey>s/k+y</SecretAccessKey><SessionToken>tok==</"
         "SessionToken><Expiration>" +
         format_rfc3339(expires) + "</Expiration></Credentials></" + operation + "Result></" +
         operation + "Response>";
}

std::shared_ptr<CredentialsProvider> fixed(Clock& clock, Rng& rng, const std::string& id,
                                           const std::string& token = "") {
  return std::make_shared<CachedProvider>(
      "test", [id, token] { return keys(id, token); }, clock, rng);
}

class ChainTest : public AwsTest {
 protected:
  std::shared_ptr<CredentialsProvider> chain(std::map<std::string, std::string> env) {
    env.emplace("AWS_SHARED_CREDENTIALS_FILE", dir.path("credentials"));
    env.emplace("AWS_CONFIG_FILE", dir.path("config"));
    return make_default_chain(chain_options(std::move(env))).value();
  }
  TempDir dir;
};

TEST_F(ChainTest, EnvironmentKeysFirst) {
  dir.write("credentials", "[default]\naws_access_key_id=FILE\naws_secret_access_key=s\n");
  const auto got = chain({{"AWS_ACCESS_KEY_ID", "ENV"},
                          {"AWS_SECRET_ACCESS_KEY", "sk"},
                          {"AWS_SESSION_TOKEN", "t"}})
                       ->get();
  ASSERT_TRUE(got.ok());
  EXPECT_EQ((*got)->access_key_id, "ENV");
  EXPECT_EQ((*got)->secret_access_key.reveal(), "sk");
  EXPECT_EQ((*got)->session_token.reveal(), "t");
  EXPECT_FALSE((*got)->expiration.has_value());
  const auto old = chain({{"AWS_ACCESS_KEY_ID", "ENV"},
                          {"AWS_SECRET_ACCESS_KEY", "sk"},
                          {"AWS_SECURITY_TOKEN", "o"}})
                       ->get();
  EXPECT_EQ((*old)->session_token.reveal(), "o");
}

TEST_F(ChainTest, HalfAPairOfKeysIsAnErrorNotASkip) {
  dir.write("credentials", "[default]\naws_access_key_id=FILE\naws_secret_access_key=s\n");
  EXPECT_EQ(chain({{"AWS_ACCESS_KEY_ID", "ENV"}})->get().error().code, "PartialCredentials");
  EXPECT_EQ(chain({{"AWS_SECRET_ACCESS_KEY", "s"}})->get().error().code, "PartialCredentials");
  EXPECT_EQ(chain({{"AWS_WEB_IDENTITY_TOKEN_FILE", "f"}})->get().error().code,
            "PartialCredentials");
  dir.write("credentials", "[default]\naws_access_key_id=FILE\n");
  EXPECT_EQ(chain({})->get().error().code, "PartialCredentials");
}

TEST_F(ChainTest, EnvironmentKeysMayExpire) {
  std::map<std::string, std::string> env = {{"AWS_ACCESS_KEY_ID", "ENV"},
                                            {"AWS_SECRET_ACCESS_KEY", "sk"}};
  env["AWS_CREDENTIAL_EXPIRATION"] = format_rfc3339(clock.now() + std::chrono::hours(1));
  const auto provider_ = chain(env);
  EXPECT_TRUE(provider_->get().ok());
  clock.advance(std::chrono::hours(2));
  EXPECT_EQ(provider_->get().error().code, "ExpiredCredentials");
  env["AWS_CREDENTIAL_EXPIRATION"] = "soon";
  EXPECT_FALSE(chain(env)->get().ok());
}

TEST_F(ChainTest, ProfileKeysFromEitherFile) {
  dir.write("config", "[profile ops]\naws_access_key_id = CONF\naws_secret_access_key = a\n");
  EXPECT_EQ((*chain({{"AWS_PROFILE", "ops"}})->get())->access_key_id, "CONF");
  dir.write("credentials",
            "[ops]\naws_access_key_id = CRED\naws_secret_access_key = b\naws_session_token = t\n");
  const auto got = chain({{"AWS_PROFILE", "ops"}})->get();
  EXPECT_EQ((*got)->access_key_id, "CRED");
  EXPECT_EQ((*got)->session_token.reveal(), "t");
}

TEST_F(ChainTest, RefusedProfileKeysAreReadAgain) {
  dir.write("credentials", "[default]\naws_access_key_id=ONE\naws_secret_access_key=s\n");
  const auto provider_ = chain({});
  const auto first = provider_->get();
  EXPECT_EQ((*first)->access_key_id, "ONE");
  dir.write("credentials", "[default]\naws_access_key_id=TWO\naws_secret_access_key=s\n");
  EXPECT_EQ((*provider_->get())->access_key_id, "ONE");
  provider_->invalidate(**first);
  EXPECT_EQ((*provider_->get())->access_key_id, "TWO");
}

TEST_F(ChainTest, AProfileThatAssumesARoleIsNotMistakenForKeys) {
  dir.write("config",
            "[default]\nrole_arn=arn:aws:iam::1:role/"
            "r\nsource_profile=x\naws_access_key_id=A\naws_secret_access_key=b\n");
  EXPECT_EQ(chain({})->get().error().code, "UnsupportedProfile");
}

TEST_F(ChainTest, NothingFoundSaysWhatWasTriedAndWhyNot) {
  dir.write("config", "[default]\ncredential_process = /bin/x\n");
  const auto got =
      chain({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"}})
          ->get();
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().cls, ErrorClass::Denied);
  EXPECT_EQ(got.error().code, "NoCredentials");
  const std::string& m = got.error().message;
  for (const char* part : {"environment: AWS_ACCESS_KEY_ID is not set",
                           "web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set",
                           "profile files: profile \"default\" has no aws_access_key_id",
                           "credential_process: the profile sets it, but",
                           "container endpoint: AWS_CONTAINER_CREDENTIALS_FULL_URI is set, but",
                           "instance metadata: this version does not ask it"}) {
    EXPECT_NE(m.find(part), std::string::npos) << part << "\n" << m;
  }
  EXPECT_EQ(transport->request_count(), 0u);
}

TEST_F(ChainTest, WebIdentityReadsTheTokenFileAtEachRefresh) {
  const std::string file = dir.write("token", "jwt-1\n");
  const auto provider_ = chain({{"AWS_WEB_IDENTITY_TOKEN_FILE", file},
                                {"AWS_ROLE_ARN", "arn:aws:iam::1:role/op"},
                                {"AWS_ROLE_SESSION_NAME", "my session"}});
  transport->push(Wire::of(
      200, sts_reply("AssumeRoleWithWebIdentity", "ASIA1", clock.now() + std::chrono::hours(1))));
  const auto got = provider_->get();
  ASSERT_TRUE(got.ok()) << got.error().describe();
  EXPECT_EQ((*got)->access_key_id, "ASIA1");
  EXPECT_EQ((*got)->secret_access_key.reveal(), "s/k+y");
  EXPECT_EQ((*got)->session_token.reveal(), "tok==");
  const auto sent = transport->requests()[0];
  EXPECT_EQ(sent.url, "https://sts.eu-west-1.amazonaws.com/");
  EXPECT_EQ(sent.body,
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%"
            "3Arole%2Fop"
            "&RoleSessionName=my-session&WebIdentityToken=jwt-1");
  EXPECT_EQ(header(0, "Authorization"), "(absent)");
  EXPECT_EQ(header(0, "X-Amz-Date"), "(absent)");
  EXPECT_TRUE(sent.sensitive);
  dir.write("token", "jwt-2");
  clock.advance(std::chrono::minutes(50));
  transport->push(Wire::of(
      200, sts_reply("AssumeRoleWithWebIdentity", "ASIA2", clock.now() + std::chrono::hours(1))));
  EXPECT_EQ((*provider_->get())->access_key_id, "ASIA2");
  EXPECT_NE(transport->requests()[1].body.find("WebIdentityToken=jwt-2"), std::string::npos);
}

TEST_F(ChainTest, WebIdentityTroublesAreNamed) {
  std::map<std::string, std::string> env = {{"AWS_WEB_IDENTITY_TOKEN_FILE", dir.path("none")},
                                            {"AWS_ROLE_ARN", "r"}};
  const auto missing = chain(env)->get();
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, "WebIdentityToken");
  EXPECT_NE(missing.error().message.find("/none: No such file"), std::string::npos);
  env["AWS_WEB_IDENTITY_TOKEN_FILE"] = dir.write("empty", " \n");
  EXPECT_EQ(chain(env)->get().error().code, "WebIdentityToken");
  env["AWS_WEB_IDENTITY_TOKEN_FILE"] = dir.write("token", "jwt-secret");
  transport->push(Wire::of(
      403,
      "<ErrorResponse><Error><Code>IDPRejectedClaim</Code><Message>bad jwt-secret</Message>"
      "</Error><RequestId>r</RequestId></ErrorResponse>"));
  const auto rejected = chain(env)->get();
  ASSERT_FALSE(rejected.ok());
  EXPECT_EQ(rejected.error().cls, ErrorClass::Denied);
  EXPECT_EQ(rejected.error().code, "IDPRejectedClaim");
  EXPECT_EQ(rejected.error().message.find("jwt-secret"), std::string::npos)
      << rejected.error().message;
}

TEST_F(ChainTest, IdentityProviderTroubleIsRetried) {
  const auto provider_ =
      chain({{"AWS_WEB_IDENTITY_TOKEN_FILE", dir.write("t", "j")}, {"AWS_ROLE_ARN", "r"}});
  transport->push(Wire::of(
      400, "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>"));
  transport->push(Wire::of(
      200, sts_reply("AssumeRoleWithWebIdentity", "ASIA1", clock.now() + std::chrono::hours(1))));
  EXPECT_TRUE(provider_->get().ok());
}

TEST_F(ChainTest, ExpiryIsUnderstoodOnAWrongClock) {
  const WallTime aws_now = http::parse_http_date("Wed, 18 Nov 2026 12:00:00 GMT").value();
  clock.jump_wall(aws_now + std::chrono::hours(3) -
                  clock.now());  // three hours ahead: all keys look expired
  const auto provider_ =
      chain({{"AWS_WEB_IDENTITY_TOKEN_FILE", dir.write("t", "j")}, {"AWS_ROLE_ARN", "r"}});
  transport->push(Wire::of(
      200, sts_reply("AssumeRoleWithWebIdentity", "ASIA1", aws_now + std::chrono::hours(1)),
      {{"Date", "Wed, 18 Nov 2026 12:00:00 GMT"}}));
  const auto got = provider_->get();
  ASSERT_TRUE(got.ok()) << got.error().describe();
  EXPECT_EQ((*got)->expiration, clock.now() + std::chrono::hours(1));
}

TEST_F(ChainTest, WebIdentityProviderAsksItsTokenSource) {
  int asked = 0;
  const auto provider_ = make_web_identity_provider(
      chain_options(),
      {"arn:aws:iam::1:role/tenant", "keyturn-shop", [&]() -> Result<SecretString> {
         if (++asked == 1)
           return make_error(ErrorClass::NotFound, "NotFound", "no ServiceAccount orders");
         return SecretString("tok");
       }});
  const auto failed = provider_->get();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().message,
            "the token for arn:aws:iam::1:role/tenant: no ServiceAccount orders");
  clock.advance(std::chrono::seconds(1));
  transport->push(Wire::of(
      200, sts_reply("AssumeRoleWithWebIdentity", "ASIA1", clock.now() + std::chrono::hours(1))));
  EXPECT_TRUE(provider_->get().ok());
}

TEST_F(ChainTest, AssumeRoleIsSignedWithTheSourcesKeysAndTagged) {
  AssumeRoleOptions role{"arn:aws:iam::1:role/r",
                         "ext-id",
                         "keyturn-shop-orders",
                         {{"namespace", "shop"}, {"policy", "a/b"}}};
  const auto assumed =
      make_assume_role_provider(chain_options(), fixed(clock, rng, "BASE", "T"), role);
  transport->push(
      Wire::of(200, sts_reply("AssumeRole", "ASIA1", clock.now() + std::chrono::hours(1))));
  ASSERT_TRUE(assumed->get().ok());
  EXPECT_EQ(transport->requests()[0].body,
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"
            "&RoleSessionName=keyturn-shop-orders&ExternalId=ext-id&Tags.member.1.Key=namespace&"
            "Tags.member.1.Value=shop"
            "&Tags.member.2.Key=policy&Tags.member.2.Value=a%2Fb");
  EXPECT_TRUE(header(0, "Authorization").starts_with("AWS4-HMAC-SHA256 Credential=BASE/"));
  EXPECT_EQ(header(0, "X-Amz-Security-Token"), "T");
  EXPECT_NE(header(0, "Authorization").find("/eu-west-1/sts/"), std::string::npos);
}

TEST_F(ChainTest, WithoutARegionStsIsNotGuessed) {
  ChainOptions o = chain_options();
  o.settings.region = "";
  const auto assumed = make_assume_role_provider(o, fixed(clock, rng, "BASE"), {"r", "", "s", {}});
  EXPECT_EQ(assumed->get().error().code, "NoRegion");
}

TEST(StsReplyTest, RefusesWhatIsIncompleteAndWipes) {
  const std::string good = sts_reply("AssumeRole", "A", WallTime(Duration(1'795'000'000'000)));
  std::string xml = good;
  EXPECT_TRUE(parse_sts_reply(xml, "AssumeRole").ok());
  EXPECT_EQ(xml.find("s/k+y"), std::string::npos);
  xml = good;
  EXPECT_EQ(parse_sts_reply(xml, "AssumeRoleWithWebIdentity").error().code, "BadReply");
  for (const char* gone : {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}) {
    xml = good;
    for (auto at = xml.find(gone); at != std::string::npos; at = xml.find(gone)) xml[at] = 'x';
    EXPECT_EQ(parse_sts_reply(xml, "AssumeRole").error().code, "BadReply") << gone;
  }
  for (const char* bad : {"", "<", "not xml", "{}"}) {
    xml = bad;
    EXPECT_EQ(parse_sts_reply(xml, "AssumeRole").error().cls, ErrorClass::Transient) << bad;
  }
}

TEST(RoleSessionNameTest, FitsTheGrammar) {
  EXPECT_EQ(role_session_name("keyturn-shop.orders_1@x=y,z+"), "keyturn-shop.orders_1@x=y,z+");
  EXPECT_EQ(role_session_name("a b/c:ü"), "a-b-c---");
  EXPECT_EQ(role_session_name(std::string(100, 'x')), std::string(64, 'x'));
  EXPECT_EQ(role_session_name(""), "keyturn");
  EXPECT_EQ(role_session_name("x"), "keyturn");
}

}  // namespace
}  // namespace keyturn::aws
