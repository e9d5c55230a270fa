/**
 * Curves over training steps as SVG text, drawn by echarts without a DOM.
 *
 * Colours are names of CSS properties: the page that holds the SVG defines them, light and dark.
 */

import { LineChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([LineChart, GridComponent, SVGRenderer]);

/** A point of a curve: a step, and the value there. */
export type Point = readonly [step: number, value: number];

/** One curve, painted over those before it. */
export interface Line {
  readonly points: readonly Point[];
  /** A CSS colour, `var(--name)` included. */
  readonly color: string;
  /** Pixels. */
  readonly width: number;
  /** 0 to 1. */
  readonly opacity: number;
  /** Whether each point is marked, for curves of a few points. */
  readonly marked?: boolean;
}

/** The upright axis; curves are cut off at its ends. */
export interface Axis {
  readonly name: string;
  readonly log: boolean;
  readonly min: number;
  readonly max: number;
  readonly format: (value: number) => string;
}

/** Size of a drawing and of its letters, in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
  readonly fontSize: number;
}

/** An `<svg>` element with the curves over steps 0 to `steps`; ids within it begin with `id`. */
export function drawChart(
  id: string,
  lines: readonly Line[],
  axis: Axis,
  steps: number,
  { width, height, fontSize }: Size,
): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    grid: {
      left: 4.5 * fontSize,
      right: 1.5 * fontSize,
      top: 2.5 * fontSize,
      bottom: 3.5 * fontSize,
    },
    xAxis: stepAxis(steps, fontSize),
    yAxis: valueAxis(axis, fontSize),
    series: lines.map(series),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return tidy(svg, id);
}

/**
 * Leaves out what only a live chart needs, and echarts' ids: it counts drawings of the process, so
 * that a second report of the same runs would differ.
 */
export function tidy(svg: string, id: string): string {
  return svg
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/ (?:class|pointer-events|ecmeta_\w+)="[^"]*"/g, '')
    .replace(/\bzr\d+-/g, `${id}-`);
}

function stepAxis(steps: number, fontSize: number) {
  return {
    type: 'value',
    min: 0,
    max: steps,
    name: 'step',
    nameLocation: 'middle',
    nameGap: 2 * fontSize,
    nameTextStyle: { color: 'var(--soft)', fontSize },
    splitNumber: 5,
    splitLine: { show: false },
    axisLine: { lineStyle: { color: 'var(--axis)' } },
    axisTick: { lineStyle: { color: 'var(--axis)' } },
    axisLabel: { color: 'var(--soft)', fontSize, hideOverlap: true },
  };
}

function valueAxis({ name, log, min, max, format }: Axis, fontSize: number) {
  return {
    type: log ? 'log' : 'value',
    min,
    max,
    name,
    nameGap: 0.9 * fontSize,
    nameTextStyle: {
      color: 'var(--soft)',
      fontSize,
      align: 'left',
      padding: [0, 0, 0, -4 * fontSize],
    },
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: 'var(--grid)' } },
    axisLabel: { color: 'var(--soft)', fontSize, formatter: format, hideOverlap: true },
  };
}

function series({ points, color, width, opacity, marked = false }: Line) {
  return {
    type: 'line',
    data: points.map((point) => [...point]),
    silent: true,
    emphasis: { disabled: true },
    // Keeps the peaks of curves that have more steps than the drawing has pixels.
    sampling: 'lttb',
    showSymbol: marked,
    symbol: 'circle',
    symbolSize: 2 + 1.5 * width,
    itemStyle: { color, opacity },
    lineStyle: { color, width, opacity, cap: 'round', join: 'round' },
  };
}
