/** Bars with their names and values beside them, as SVG text, drawn by echarts without a DOM. */

import { BarChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { type Size, tidy } from './chart.js';

use([BarChart, GridComponent, SVGRenderer]);

/** One bar, as long as its value; values that are not finite have none. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  /** What stands at the bar's end. */
  readonly text: string;
  /** A CSS colour, `var(--name)` included. */
  readonly color: string;
}

/** An `<svg>` element with the bars, the first on top; ids within it begin with `id`. */
export function drawBars(
  id: string,
  bars: readonly Bar[],
  { width, fontSize }: Omit<Size, 'height'>,
): string {
  const longest = (texts: readonly string[]) => Math.max(...texts.map((text) => text.length));
  const height = 3 * fontSize * bars.length;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    grid: {
      // Letters are about half as wide as they are high.
      left: 0.58 * fontSize * longest(bars.map(({ name }) => name)) + fontSize,
      right: 0.58 * fontSize * longest(bars.map(({ text }) => text)) + fontSize,
      top: 0,
      bottom: 0,
    },
    xAxis: { type: 'value', show: false, min: 0 },
    yAxis: {
      type: 'category',
      inverse: true,
      data: bars.map(({ name }) => name),
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: 'var(--ink)', fontSize },
    },
    series: [
      { type: 'bar', silent: true, barWidth: '62%', data: bars.map(element), ...label(fontSize) },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return tidy(svg, id);
}

function element({ value, text, color }: Bar) {
  return {
    value: Number.isFinite(value) ? value : 0,
    itemStyle: { color, borderRadius: 3 },
    label: { formatter: text },
  };
}

function label(fontSize: number) {
  return { label: { show: true, position: 'right', color: 'var(--ink)', fontSize } };
}
