import { Duration, RemovalPolicy, SecretValue, Validations } from "aws-cdk-lib";
import { Certificate, type ICertificate } from "aws-cdk-lib/aws-certificatemanager";
import {
  AllowedMethods,
  CacheCookieBehavior,
  CacheHeaderBehavior,
  CachePolicy,
  CacheQueryStringBehavior,
  Distribution,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  HttpVersion,
  OriginProtocolPolicy,
  OriginRequestHeaderBehavior,
  OriginRequestPolicy,
  OriginSslPolicy,
  PriceClass,
  ResponseHeadersPolicy,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from "aws-cdk-lib/aws-cloudfront";
import { HttpOrigin } from "aws-cdk-lib/aws-cloudfront-origins";
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import type { Settings } from "../settings.ts";

/** As `functions/shared/viewer.ts` asks for it. */
const ORIGIN_SECRET_HEADER = "x-sallyport-origin";
/** The headers that our apps read; CloudFront passes no others, and the viewer's address is its own word. */
const PASSED_HEADERS = [
  "Accept",
  "Content-Type",
  "Origin",
  "Sec-Fetch-Site",
  "User-Agent",
  "CloudFront-Viewer-Address",
];
/** Browsers ask by https alone for so long. */
const HSTS = Duration.days(730);

export interface EdgeProps {
  readonly settings: Settings;
  readonly apiHost: string;
  /** ARN of what the API is shown. */
  readonly originSecretArn: string;
  readonly accessLogs: IBucket;
}

/** The distribution in front of the API: TLS, security headers, and the only way in. It keeps nothing. */
export class Edge extends Construct {
  readonly distribution: Distribution;
  /** Origin of pages and API, such as `https://sallyport.example`. */
  readonly publicUrl: string;

  constructor(scope: Construct, id: string, props: EdgeProps) {
    super(scope, id);
    const { settings } = props;
    this.distribution = new Distribution(this, "Distribution", {
      comment: "Sallyport: pages and API",
      httpVersion: HttpVersion.HTTP2_AND_3,
      minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
      priceClass: PriceClass.PRICE_CLASS_ALL,
      enableLogging: true,
      logBucket: this.logBucket(settings, props.accessLogs) as IBucket,
      // Links of mails and codes of sign-ins stand in queries, which this log has: cookies at least it has not.
      logIncludesCookies: false,
      ...(settings.webAclArn !== undefined && { webAclId: settings.webAclArn }),
      ...(settings.domain !== undefined && { domainNames: [settings.domain], ...this.certificate(settings) }),
      defaultBehavior: {
        origin: this.origin(props),
        viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        allowedMethods: AllowedMethods.ALLOW_ALL,
        compress: true,
        cachePolicy: this.nothingKept(),
        originRequestPolicy: new OriginRequestPolicy(this, "Passed", {
          comment: "Sallyport: the headers that its apps read",
          headerBehavior: OriginRequestHeaderBehavior.allowList(...PASSED_HEADERS),
        }),
        responseHeadersPolicy: this.securityHeaders(),
      },
    });
    this.publicUrl = `https://${settings.domain ?? this.distribution.distributionDomainName}`;
    this.acknowledge(settings);
  }

  private origin({ apiHost, originSecretArn }: EdgeProps): HttpOrigin {
    return new HttpOrigin(apiHost, {
      protocolPolicy: OriginProtocolPolicy.HTTPS_ONLY,
      originSslProtocols: [OriginSslPolicy.TLS_V1_2],
      // CloudFormation puts it in when it deploys; the template has its name alone.
      customHeaders: { [ORIGIN_SECRET_HEADER]: SecretValue.secretsManager(originSecretArn).unsafeUnwrap() },
    });
  }

  /**
   * CloudFront passes `Authorization` only where it is part of what an answer is kept by. So all of a request is: an answer that forgot
   * to say `no-store` could be given again within a second to the same request with the same credentials, and to no other.
   */
  private nothingKept(): CachePolicy {
    return new CachePolicy(this, "NothingKept", {
      comment: "Sallyport: keeps nothing",
      minTtl: Duration.seconds(0),
      defaultTtl: Duration.seconds(0),
      maxTtl: Duration.seconds(1),
      headerBehavior: CacheHeaderBehavior.allowList("Authorization"),
      cookieBehavior: CacheCookieBehavior.all(),
      queryStringBehavior: CacheQueryStringBehavior.all(),
    });
  }

  /** The apps send their own, stricter where they know better; these stand where they send none. */
  private securityHeaders(): ResponseHeadersPolicy {
    return new ResponseHeadersPolicy(this, "SecurityHeaders", {
      comment: "Sallyport: security headers",
      removeHeaders: ["Server"],
      securityHeadersBehavior: {
        contentSecurityPolicy: {
          contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
          override: false,
        },
        contentTypeOptions: { override: true },
        frameOptions: { frameOption: HeadersFrameOption.DENY, override: true },
        referrerPolicy: { referrerPolicy: HeadersReferrerPolicy.NO_REFERRER, override: false },
        strictTransportSecurity: { accessControlMaxAge: HSTS, includeSubdomains: true, override: true },
      },
    });
  }

  private logBucket({ logDays }: Settings, accessLogs: IBucket): Bucket {
    return new Bucket(this, "Logs", {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      // CloudFront delivers by an ACL, and to no bucket that only a customer key opens.
      objectOwnership: ObjectOwnership.BUCKET_OWNER_PREFERRED,
      encryption: BucketEncryption.S3_MANAGED,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: "Edge/",
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [{ expiration: Duration.days(logDays) }],
    });
  }

  private certificate({ certificateArn = "" }: Settings): { readonly certificate: ICertificate } {
    return { certificate: Certificate.fromCertificateArn(this, "Certificate", certificateArn) };
  }

  private acknowledge({ domain, webAclArn }: Settings): void {
    const { distribution } = this;
    Validations.of(distribution).acknowledge({
      id: "AwsSolutions-CFR1",
      reason: "Where people work from is their employer's to say: a web ACL of theirs (webAclArn) can bound countries.",
    });
    if (webAclArn === undefined)
      Validations.of(distribution).acknowledge({
        id: "AwsSolutions-CFR2",
        reason:
          "A web ACL is the operator's choice (webAclArn): it costs by the request, and the API has bounds of its own.",
      });
    if (domain === undefined)
      Validations.of(distribution).acknowledge({
        id: "AwsSolutions-CFR4",
        reason:
          "CloudFront's own certificate, used while no domain is set, comes with its own choice of TLS versions, which nobody can change. With `domain` it is TLS 1.2 and newer.",
      });
  }
}
