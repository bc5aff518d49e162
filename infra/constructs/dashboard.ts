import { Duration } from "aws-cdk-lib";
import { AlarmStatusWidget, Dashboard, GraphWidget, type IMetric, Metric } from "aws-cdk-lib/aws-cloudwatch";
import type { Construct } from "constructs";
import type { ApiStack } from "../stacks/api-stack.ts";
import type { GatewayStack } from "../stacks/gateway-stack.ts";
import type { Alarms } from "./alarms.ts";
import { METRICS, VERDICTS, verdictsOf } from "./metrics.ts";

const PERIOD = Duration.minutes(1);
const WIDTH = 12;

/** One page for whoever is on call: what is alarming, what sessions do, how the recorder keeps up. */
export function dashboard(scope: Construct, gateway: GatewayStack, api: ApiStack, alarms: Alarms): Dashboard {
  const sum = { statistic: "Sum", period: PERIOD };
  const most = { statistic: "Maximum", period: PERIOD };
  return new Dashboard(scope, "Dashboard", {
    widgets: [
      [new AlarmStatusWidget({ title: "Alarms", alarms: [...alarms.all], width: 2 * WIDTH, height: 3 })],
      [
        graph("Live sessions and held statements", [
          new Metric({ ...METRICS.liveSessions, ...sum }),
          new Metric({ ...METRICS.heldStatements, ...sum }),
        ]),
        graph(
          "Verdicts",
          VERDICTS.map((one) => new Metric({ ...verdictsOf(one), ...sum, label: one })),
        ),
      ],
      [
        graph("Recorder lag, ms", [new Metric({ ...METRICS.recorderLagMs, ...most })]),
        graph("Oldest spool, s", [new Metric({ ...METRICS.spoolAgeSeconds, ...most })]),
      ],
      [
        graph("Masked values", [new Metric({ ...METRICS.maskedValues, ...sum })]),
        graph("Errors and failed uploads", [
          new Metric({ ...METRICS.errors, ...sum }),
          new Metric({ ...METRICS.uploadFailures, ...sum }),
          api.gateway.stage.metricServerError({ ...sum, label: "API 5xx" }),
        ]),
      ],
      [
        graph("Tasks", [
          gateway.gateway.service.metricCpuUtilization({ ...most, label: "CPU %" }),
          gateway.gateway.service.metricMemoryUtilization({ ...most, label: "memory %" }),
        ]),
        graph("API", [
          api.gateway.stage.metricCount({ ...sum, label: "requests" }),
          api.gateway.stage.metricLatency({ period: PERIOD, statistic: "p95", label: "p95, ms" }),
        ]),
      ],
    ],
  });
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: WIDTH });
}
