import { beforeAll, describe, expect, it } from "vitest";
import { only, type Resource, type Synthesised, synthesise } from "./synthesised.ts";

let made: Synthesised;

beforeAll(() => {
  made = synthesise();
}, 120_000);

const one = (type: string, part = ""): Resource => only(made, type, part);

describe("logs", () => {
  it("are kept for as long as the setting says, under our key, also without their stack", () => {
    const groups = made.of("AWS::Logs::LogGroup");
    expect(groups.length).toBeGreaterThan(9);
    for (const { id, properties, deletionPolicy } of groups) {
      expect(properties.RetentionInDays, id).toBe(365);
      expect(properties.KmsKeyId, id).toBeDefined();
      expect(deletionPolicy, id).toBe("Retain");
    }
  });

  it("of requests hold no query, header or body, where codes and links stand", () => {
    const { Format } = one("AWS::ApiGatewayV2::Stage").properties.AccessLogSettings;
    expect(Format).not.toMatch(/query|header|body|routeKey|authorizer/i);
  });
});

describe("the way to pages and API", () => {
  it("has a bound on requests", () => {
    const { DefaultRouteSettings } = one("AWS::ApiGatewayV2::Stage").properties;
    expect(DefaultRouteSettings).toMatchObject({ ThrottlingRateLimit: 200, ThrottlingBurstLimit: 400 });
  });

  it("is TLS 1.2 or newer, and shows the API that it came this way by a secret that no template holds", () => {
    const { DistributionConfig } = one("AWS::CloudFront::Distribution").properties;
    expect(DistributionConfig.ViewerCertificate.MinimumProtocolVersion).toBe("TLSv1.2_2021");
    expect(DistributionConfig.DefaultCacheBehavior.ViewerProtocolPolicy).toBe("redirect-to-https");
    const [origin] = DistributionConfig.Origins;
    expect(origin.CustomOriginConfig).toMatchObject({
      OriginProtocolPolicy: "https-only",
      OriginSSLProtocols: ["TLSv1.2"],
    });
    const [header] = origin.OriginCustomHeaders;
    expect(header.HeaderName).toBe("x-sallyport-origin");
    expect(JSON.stringify(header.HeaderValue)).toContain("{{resolve:secretsmanager:");
  });

  it("passes the viewer's address as CloudFront knows it, and no Host, which would name no API", () => {
    const { HeadersConfig } = one("AWS::CloudFront::OriginRequestPolicy").properties.OriginRequestPolicyConfig;
    expect(HeadersConfig.HeaderBehavior).toBe("whitelist");
    expect(HeadersConfig.Headers).toContain("CloudFront-Viewer-Address");
    expect(HeadersConfig.Headers).not.toContain("Host");
  });

  it("gives no answer to anybody but who asked with the same credentials", () => {
    const { ParametersInCacheKeyAndForwardedToOrigin: by, DefaultTTL } =
      one("AWS::CloudFront::CachePolicy").properties.CachePolicyConfig;
    expect(DefaultTTL).toBe(0);
    expect(by.CookiesConfig.CookieBehavior).toBe("all");
    expect(by.QueryStringsConfig.QueryStringBehavior).toBe("all");
    expect(by.HeadersConfig.Headers).toEqual(["Authorization"]);
  });

  it("adds strict headers where an app sends none", () => {
    const { SecurityHeadersConfig: headers } = one("AWS::CloudFront::ResponseHeadersPolicy").properties
      .ResponseHeadersPolicyConfig;
    expect(headers.StrictTransportSecurity.AccessControlMaxAgeSec).toBeGreaterThanOrEqual(31_536_000);
    expect(headers.FrameOptions.FrameOption).toBe("DENY");
    expect(headers.ContentSecurityPolicy.ContentSecurityPolicy).toContain("default-src 'none'");
  });
});

describe("functions", () => {
  it("run on Node 24, each with a role of its own", () => {
    const functions = made.of("AWS::Lambda::Function");
    for (const { id, properties } of functions) expect(properties.Runtime, id).toBe("nodejs24.x");
    const roles = functions.map(({ properties }) => JSON.stringify(properties.Role));
    expect(new Set(roles).size).toBe(functions.length);
  });
});
