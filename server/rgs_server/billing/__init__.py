"""What operators played and owe: figures by day, fees, closed months, invoices."""
