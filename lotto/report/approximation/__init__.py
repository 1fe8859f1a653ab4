"""The report of tickets that approximate a function instead of telling classes apart: errors in the place of accuracies."""
