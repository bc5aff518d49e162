import { Duration } from "aws-cdk-lib";
import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import type { ApiStack } from "../stacks/api-stack.ts";
import type { GatewayStack } from "../stacks/gateway-stack.ts";
import { METRICS, verdictsOf } from "./metrics.ts";

const MINUTE = Duration.minutes(1);
/** As often as `constructs/scheduled.ts` looks. */
const SCHEDULE = Duration.minutes(15);
const FIVE_MINUTES = Duration.minutes(5);
/** What goes to a client is on disk within a second (invariant 1): twice that is a disk in trouble. */
const LAG_MS = 2000;
/** A live session's chunks are stored within seconds; a spool that waits so long waits for S3, or for nobody. */
const SPOOL_AGE_SECONDS = 900;
const DENIED_IN_FIVE_MINUTES = 100;
const ERRORS_IN_FIVE_MINUTES = 5;

interface Watched {
  readonly metric: IMetric;
  readonly threshold: number;
  readonly periods: number;
  readonly meaning: string;
  /** What silence means. Undefined: nothing is wrong. */
  readonly missing?: TreatMissingData;
}

export interface AlarmsProps {
  readonly gateway: GatewayStack;
  readonly api: ApiStack;
  readonly topic: ITopic;
}

/** What an operator is woken for; docs/runbook.md says of each what it means and what to do. */
export class Alarms extends Construct {
  readonly all: readonly Alarm[];

  constructor(scope: Construct, id: string, { gateway, api, topic }: AlarmsProps) {
    super(scope, id);
    const watched = { ...ofTasks(), ...ofBalancer(gateway), ...ofApi(api) };
    this.all = Object.entries(watched).map(([name, one]) => this.alarm(name, one, topic));
  }

  private alarm(name: string, { metric, threshold, periods, meaning, missing }: Watched, topic: ITopic): Alarm {
    const props: AlarmProps = {
      metric,
      threshold,
      evaluationPeriods: periods,
      alarmDescription: `Sallyport: ${meaning}. See docs/runbook.md#${name.toLowerCase()}.`,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: missing ?? TreatMissingData.NOT_BREACHING,
    };
    const alarm = new Alarm(this, name, props);
    alarm.addAlarmAction(new SnsAction(topic));
    alarm.addOkAction(new SnsAction(topic));
    return alarm;
  }
}

function ofTasks(): Readonly<Record<string, Watched>> {
  const most = { statistic: "Maximum", period: MINUTE };
  const sum = { statistic: "Sum", period: FIVE_MINUTES };
  return {
    RecorderLag: {
      metric: new Metric({ ...METRICS.recorderLagMs, ...most }),
      threshold: LAG_MS,
      periods: 3,
      meaning: "what sessions do reaches the disk late",
      // Tasks write it every minute: silence is that no task writes.
      missing: TreatMissingData.BREACHING,
    },
    SpoolAge: {
      metric: new Metric({ ...METRICS.spoolAgeSeconds, ...most }),
      threshold: SPOOL_AGE_SECONDS,
      periods: 3,
      meaning: "a recording waits to be stored",
    },
    AbandonedSpools: {
      metric: new Metric({ ...METRICS.abandonedSpools, statistic: "Maximum", period: SCHEDULE }),
      threshold: 1,
      periods: 2,
      meaning: "a task is gone, and no other has taken over its recordings",
    },
    UploadFailures: {
      metric: new Metric({ ...METRICS.uploadFailures, ...sum }),
      threshold: 1,
      periods: 3,
      meaning: "recordings cannot be stored, again and again",
    },
    DeniedSpike: {
      metric: new Metric({ ...verdictsOf("block"), ...sum }),
      threshold: DENIED_IN_FIVE_MINUTES,
      periods: 1,
      meaning: "unusually many statements or commands are blocked",
    },
    TaskErrors: {
      metric: new Metric({ ...METRICS.errors, ...sum }),
      threshold: ERRORS_IN_FIVE_MINUTES,
      periods: 2,
      meaning: "tasks log errors",
    },
  };
}

function ofBalancer({ listeners, gateway: { service } }: GatewayStack): Readonly<Record<string, Watched>> {
  const unhealthy = listeners.targetGroups.map((group) =>
    group.metrics.unHealthyHostCount({ statistic: "Maximum", period: MINUTE }),
  );
  return {
    UnhealthyTasks: {
      metric: largest(unhealthy),
      threshold: 1,
      periods: 10,
      meaning: "a task takes no sessions",
    },
    TasksAtCpuLimit: {
      metric: service.metricCpuUtilization({ statistic: "Maximum", period: MINUTE }),
      threshold: 95,
      periods: 10,
      meaning: "a task has no CPU left",
    },
  };
}

function ofApi({ gateway, apps, notify, auditWriter, scheduled }: ApiStack): Readonly<Record<string, Watched>> {
  const functions = [...Object.values(apps.functions), notify.function, auditWriter.function, scheduled.function];
  return {
    ServerErrors: {
      metric: gateway.stage.metricServerError({ statistic: "Sum", period: FIVE_MINUTES }),
      threshold: ERRORS_IN_FIVE_MINUTES,
      periods: 1,
      meaning: "pages or the API answer with 5xx",
    },
    FunctionErrors: {
      metric: total(functions.map((one) => one.metricErrors({ statistic: "Sum", period: FIVE_MINUTES }))),
      threshold: 1,
      periods: 3,
      meaning: "a function fails again and again",
    },
    LostEvents: {
      metric: total(
        [notify.failed, auditWriter.failed].map((queue) =>
          queue.metricApproximateNumberOfMessagesVisible({ statistic: "Maximum", period: FIVE_MINUTES }),
        ),
      ),
      threshold: 1,
      periods: 1,
      meaning: "a mail or an audit event was given up",
    },
  };
}

function total(metrics: readonly IMetric[]): MathExpression {
  return combined("SUM", metrics);
}

function largest(metrics: readonly IMetric[]): MathExpression {
  return combined("MAX", metrics);
}

function combined(by: "SUM" | "MAX", metrics: readonly IMetric[]): MathExpression {
  const usingMetrics = Object.fromEntries(metrics.map((metric, index) => [`m${index}`, metric]));
  return new MathExpression({
    expression: `${by}([${Object.keys(usingMetrics).join(",")}])`,
    usingMetrics,
    period: by === "SUM" ? FIVE_MINUTES : MINUTE,
  });
}
