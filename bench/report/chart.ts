/** Bars with the goals across them, as SVG text, drawn by echarts without a DOM. */

import { BarChart, PictorialBarChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([BarChart, PictorialBarChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** Bars of one colour; null where there is none. */
export interface Bars {
  readonly name: string;
  readonly values: readonly (number | null)[];
  readonly goals: readonly (number | null)[];
}

export interface BarPicture {
  readonly title: string;
  /** What the bars and the dashes mean. */
  readonly subtitle: string;
  readonly categories: readonly string[];
  readonly log: boolean;
  readonly bars: readonly Bars[];
}

const SIZE = { width: 960, height: 420 };
const COLORS = ['#3b6fb6', '#d9822b', '#4f9d69', '#a05195', '#888888', '#c94c4c'];
const INK = '#333333';

/** An SVG file on a white ground, which pages in dark colours need. */
export function drawBars({ title, subtitle, categories, log, bars }: BarPicture): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...SIZE });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    color: COLORS,
    textStyle: { fontFamily: 'system-ui, sans-serif', color: INK },
    title: { text: title, subtext: subtitle, left: 16, top: 8, textStyle: { fontSize: 15 } },
    legend: { bottom: 8, itemGap: 48, data: bars.map(({ name }) => name) },
    grid: { left: 56, right: 16, top: 72, bottom: 64 },
    xAxis: { type: 'category', data: [...categories], axisTick: { show: false } },
    yAxis: { type: log ? 'log' : 'value', min: log ? 0.1 : 0 },
    series: [...bars.map(barSeries), ...bars.map(goalSeries)],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return tidy(svg);
}

const SPACING = { barGap: '10%', barCategoryGap: '30%' };

function barSeries({ name, values }: Bars) {
  return { type: 'bar', name, data: [...values], ...SPACING };
}

/** A dash at each goal. Laid out like the bars, since there are as many series. */
function goalSeries({ name, goals }: Bars) {
  return {
    type: 'pictorialBar',
    name: `goal of ${name}`,
    data: [...goals],
    symbol: 'rect',
    symbolSize: ['100%', 3],
    symbolPosition: 'end',
    itemStyle: { color: INK },
    z: 3,
    ...SPACING,
  };
}

/** echarts' ids count drawings of the process, and a live chart's styles do nothing in a file. */
function tidy(svg: string): string {
  return svg
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/ (?:class|pointer-events|ecmeta_\w+)="[^"]*"/g, '')
    .replace(/\bzr\d+-/g, 'z-');
}
