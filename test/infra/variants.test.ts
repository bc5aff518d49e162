import { App, Stack, Validations } from "aws-cdk-lib";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { AwsSolutionsChecks } from "cdk-nag";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { synthesise } from "./synthesised.ts";

const WITHIN_MS = 120_000;

describe("the stacks", () => {
  it(
    "are as clean by the fewest settings: no account, region, zones or domain",
    () => {
      const { of } = synthesise({ settings: "test/infra/least-settings.json" });
      const [distribution] = of("AWS::CloudFront::Distribution");
      expect(distribution?.properties.DistributionConfig.Aliases).toBeUndefined();
      const [service] = of("AWS::ECS::Service");
      expect(service?.properties.NetworkConfiguration.AwsvpcConfiguration.Subnets).toHaveLength(2);
    },
    WITHIN_MS,
  );

  it(
    "are as clean inside a company: a VPC of its own, a balancer that the Internet does not see, locks that nobody opens",
    () => {
      const { of } = synthesise({ settings: "test/infra/inside-settings.json" });
      expect(of("AWS::EC2::VPC")).toHaveLength(0);
      const [balancer] = of("AWS::ElasticLoadBalancingV2::LoadBalancer");
      expect(balancer?.properties.Scheme).toBe("internal");
      const ranges = of("AWS::EC2::SecurityGroup").flatMap(
        ({ properties }) => (properties.SecurityGroupIngress ?? []) as { CidrIp: string }[],
      );
      expect(new Set(ranges.map(({ CidrIp }) => CidrIp))).toEqual(new Set(["10.0.0.0/8", "172.16.0.0/12"]));
      const locked = of("AWS::S3::Bucket").filter(({ properties }) => properties.ObjectLockEnabled === true);
      for (const { properties } of locked)
        expect(properties.ObjectLockConfiguration.Rule.DefaultRetention).toEqual({ Days: 2555, Mode: "COMPLIANCE" });
      const [database] = of("AWS::IAM::Policy").filter(({ properties }) =>
        JSON.stringify(properties).includes("rds-db:connect"),
      );
      expect(JSON.stringify(database?.properties)).toContain("dbuser:db-ABCDEF/sallyport");
    },
    WITHIN_MS,
  );
});

describe("cdk-nag", () => {
  it("stops synth at what has no reason", () => {
    const app = new App({ outdir: mkdtempSync(path.join(tmpdir(), "sallyport-nag-")) });
    expect(new Bucket(new Stack(app, "Open"), "Bucket")).toBeDefined();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    expect(() => app.synth()).toThrow(/server access logs disabled/);
  });
});
